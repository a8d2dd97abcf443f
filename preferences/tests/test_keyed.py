"""What addresses are known by, while keys come and go."""

from __future__ import annotations

import base64
from importlib import import_module
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connection, models
from pytest_django.fixtures import Settings

from config.diagnosis import findings
from preferences import keyed
from preferences.models import Suppression
from preferences.suppressions import among, rekey, suppress, unsuppress
from preferences.tests.factories import create_recipient
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db

ANN, BOB = ("email", "ann@example.com"), ("sms", "+15005550006")
OLD, NEW = (f"{id}:{base64.b64encode(id[:1].encode() * 32).decode()}" for id in ("old", "new"))


def kept() -> dict[str, str]:
    return dict(Suppression.objects.values_list("channel", "key_id"))


def test_it_works(settings: Settings) -> None:
    settings.SUPPRESSION_KEYS = [OLD]
    (digest,) = keyed.of_address("email", "Ann@Example.com")
    # printf 'email\0ann@example.com' | openssl dgst -sha256 -hmac oooooooooooooooooooooooooooooooo
    assert digest == ("old", "ade0d55ccc06ce6d43b11cdbcf5bf569f822fed6e139a0604d2d2ad64e680eb5")
    assert keyed.of_address("sms", "+15005550006") != keyed.of_address("whatsapp", "+15005550006")


def test_it_keeps_no_address() -> None:
    tenant = create_tenant()
    suppress(tenant.pk, [(*ANN, "bounced"), (*BOB, "manual")])
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(s::text, '|') FROM preferences_suppression s")
        (text,) = cursor.fetchone()
    assert "ann@" not in text
    assert BOB[1] not in text
    assert set(Suppression.objects.values_list("mask", flat=True)) == {"a•••@example.com", "+1•••••0006"}


def test_it_finds_what_another_key_made(settings: Settings) -> None:
    tenant = create_tenant()
    settings.SUPPRESSION_KEYS = [OLD]
    suppress(tenant.pk, [(*ANN, "complained"), (*BOB, "manual")])
    settings.SUPPRESSION_KEYS = [NEW, OLD]
    assert among(tenant.pk, [ANN, BOB]) == {ANN: "complained", BOB: "manual"}
    assert unsuppress(tenant.pk, [BOB]) == 1
    settings.SUPPRESSION_KEYS = [NEW]
    assert among(tenant.pk, [ANN]) == {}, "a key that is gone takes its hashes along"


def test_who_is_suppressed_again_is_hashed_anew(settings: Settings) -> None:
    tenant = create_tenant()
    settings.SUPPRESSION_KEYS = [OLD]
    suppress(tenant.pk, [(*ANN, "complained"), (*BOB, "manual")])
    settings.SUPPRESSION_KEYS = [NEW, OLD]
    assert suppress(tenant.pk, [(*ANN, "bounced")]) == 0
    assert kept() == {"email": "new", "sms": "old"}
    assert among(tenant.pk, [ANN, BOB]) == {ANN: "complained", BOB: "manual"}
    assert rekey([tenant.pk], [ANN, BOB]) == 1


def test_it_rotates(settings: Settings) -> None:
    tenant = create_tenant()
    settings.SUPPRESSION_KEYS = [OLD]
    suppress(tenant.pk, [(*ANN, "complained"), (*BOB, "manual")])
    create_recipient(tenant, email="Ann@example.com", phone="")
    settings.SUPPRESSION_KEYS = [NEW, OLD]
    said = StringIO()
    call_command("rotate_suppressions", stdout=said)
    assert said.getvalue().splitlines() == [
        "1 suppressions hashed anew",
        "1 left under key old: keep it in SUPPRESSION_KEYS",
    ]
    assert kept() == {"email": "new", "sms": "old"}


def test_doctor_misses_a_key(settings: Settings) -> None:
    suppress(create_tenant().pk, [(*ANN, "manual")])
    assert {f.verdict for f in findings() if f.what == "suppressions"} == {"ok"}
    settings.SUPPRESSION_KEYS = [NEW]
    (found,) = [f for f in findings() if f.what == "suppressions"]
    assert found.verdict == "error"
    assert "k1" in found.detail


def test_without_a_key_nobody_is_looked_for(settings: Settings) -> None:
    settings.SUPPRESSION_KEYS = []
    with pytest.raises(ImproperlyConfigured, match="SUPPRESSION_KEYS is not set"):
        among(create_tenant().pk, [ANN])


def test_rows_of_before_are_hashed_chunk_by_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    tenant: Any = create_tenant()
    migration = import_module("preferences.migrations.0004_hash_suppressions")
    monkeypatch.setattr(migration, "CHUNK", 2)
    addresses = [("email", f"user-{n}@example.com") for n in range(5)]
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE preferences_suppression ADD address varchar, ALTER address_hash DROP NOT NULL"
        )
        cursor.executemany(
            """INSERT INTO preferences_suppression
                 (id, tenant_id, channel, address, key_id, mask, reason, source,
                  reference, since, created_at)
               SELECT gen_random_uuid(), %s, %s, %s, '', '', 'unsubscribed', 'operator', '', now(), now()""",
            [(tenant.pk, *address) for address in addresses],
        )
    migration.hash_addresses(SimpleNamespace(get_model=lambda *name: Before), None)
    assert among(tenant.pk, addresses) == dict.fromkeys(addresses, "unsubscribed")
    assert set(Suppression.objects.values_list("mask", "source")) == {("u•••@example.com", "reply")}


class Before(models.Model):
    """A suppression as the migration finds it: with its address."""

    id = models.UUIDField(primary_key=True)
    channel, address, reason = (models.CharField(max_length=2048) for _ in range(3))
    address_hash = models.CharField(max_length=64, null=True)  # noqa: DJ001

    class Meta:
        app_label = "before"
        db_table = Suppression._meta.db_table

    def __str__(self) -> str:
        return self.channel
