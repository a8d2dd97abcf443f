"""Suppressions as operators list, add, lift, export and import them."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from preferences.models import Suppression
from preferences.suppressions import Entry, among, suppress
from tenants.models import Tenant
from tenants.tests.factories import create_tenant
from tenants.tests.pages import staff

pytestmark = pytest.mark.django_db

URL = "/api/v1/admin/suppressions"
ANN, BOB = ("email", "ann@example.com"), ("sms", "+15005550006")


@pytest.fixture
def tenant() -> Tenant:
    return create_tenant()


def get(client: Client, tenant: Tenant, **query: str) -> Any:
    answer = client.get(URL, query, headers={"X-Tenant": tenant.slug})
    assert answer.status_code == 200, answer.content
    return answer.json()


def post(client: Client, tenant: Tenant, body: Any, path: str = "", kind: str = "application/json") -> Any:
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    return client.post(f"{URL}{path}", data, content_type=kind, headers={"X-Tenant": tenant.slug})


def export(client: Client, tenant: Tenant, **query: str) -> bytes:
    answer: Any = client.get(f"{URL}.csv", query, headers={"X-Tenant": tenant.slug})
    assert answer.status_code == 200
    return b"".join(answer.streaming_content)


def take_in(client: Client, tenant: Tenant, body: bytes, kind: str = "text/csv", query: str = "") -> Any:
    answer = post(client, tenant, body, f"/import{query}", kind)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_it_works(admin_client: Client, tenant: Tenant) -> None:
    answer = post(admin_client, tenant, {"channel": "email", "address": "Ann@Example.com"})
    assert answer.status_code == 201
    made = answer.json()
    assert made == {
        **made,
        "channel": "email",
        "mask": "a•••@example.com",
        "reason": "manual",
        "source": "operator",
        "reference": "admin",
    }
    assert get(admin_client, tenant)["results"] == [made]
    again = post(
        admin_client, tenant, {"channel": "email", "address": "ann@example.com", "reason": "bounced"}
    )
    assert (again.status_code, again.json()) == (200, made)
    lift = f"{URL}/{made['id']}"
    assert admin_client.delete(lift, headers={"X-Tenant": create_tenant().slug}).status_code == 404
    assert admin_client.delete(lift, headers={"X-Tenant": tenant.slug}).status_code == 204
    assert among(tenant.pk, [ANN]) == {}


def test_it_filters(admin_client: Client, tenant: Tenant) -> None:
    suppress(create_tenant().pk, [(*ANN, "manual")])
    suppress(
        tenant.pk,
        [(*ANN, "bounced"), Entry(*BOB, "unsubscribed", "reply", "r1"), ("email", "b@x.de", "manual")],
    )

    def found(**query: str) -> set[str]:
        return {row["mask"] for row in get(admin_client, tenant, **query)["results"]}

    assert len(found()) == 3
    assert found(channel="sms") == found(source="reply") == found(address="+15005550006") == {"+1•••••0006"}
    assert found(reason="bounced") == found(address="ANN@example.com") == {"a•••@example.com"}
    assert found(address="ann@example.com", channel="sms") == found(to="2020-01-01T00:00:00Z") == set()
    page = get(admin_client, tenant, limit="2")
    assert len(page["results"]) == 2
    assert len(admin_client.get(page["next"], headers={"X-Tenant": tenant.slug}).json()["results"]) == 1


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"channel": "email", "address": "ann"}, "/address"),
        ({"channel": "sms", "address": "12"}, "/address"),
        ({"channel": "pigeon", "address": "x"}, "/channel"),
        ({"channel": "sms", "address": "+15005550006", "reason": "tired"}, "/reason"),
        ({"channel": "push", "address": "ü"}, "/address"),
    ],
)
def test_it_refuses_what_is_no_address(
    admin_client: Client, tenant: Tenant, body: dict[str, str], pointer: str
) -> None:
    answer = post(admin_client, tenant, body)
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_an_export_is_taken_in_where_the_key_is_known(
    admin_client: Client, tenant: Tenant, settings: Settings
) -> None:
    suppress(tenant.pk, [(*ANN, "complained"), (*BOB, "unsubscribed")])
    file = export(admin_client, tenant)
    assert b"ann@" not in file
    assert BOB[1].encode() not in file
    assert len(export(admin_client, tenant, channel="sms").splitlines()) == 2
    ours = settings.SUPPRESSION_KEYS[0].partition(":")[2]
    another = base64.b64encode(b"n" * 32).decode()
    settings.SUPPRESSION_KEYS = [f"k1:{another}", f"theirs:{ours}"]
    other = create_tenant()
    report = take_in(admin_client, other, file, query="?name=merger")
    assert (report["accepted"], report["known"], report["rejected"]) == (2, 0, [])
    assert among(other.pk, [ANN, BOB]) == {ANN: "complained", BOB: "unsubscribed"}
    row = Suppression.objects.get(tenant=other, channel="sms")
    assert (row.source, row.reference, row.mask) == ("import", "merger (unsubscribe)", "+1•••••0006")
    settings.SUPPRESSION_KEYS = [f"k1:{another}"]
    report = take_in(admin_client, create_tenant(), file)
    assert [bad["code"] for bad in report["rejected"]] == ["unknown_key", "unknown_key"]


def test_a_bad_line_does_not_spoil_the_rest(admin_client: Client, tenant: Tenant) -> None:
    suppress(tenant.pk, [(*BOB, "complained")])
    lines = [
        "channel,address,reason,since",
        "email,Ann@Example.com,bounced,2024-02-29",
        "email,none,bounced,",
        "",
        "sms,(500) 555-0006,manual,2024-02-29T12:00:00Z",
        "sms,+15005550001,tired,",
        "sms,+15005550001,manual,,,,",
        'email,"ann@example.com",manual,yesterday',
        "email,\xff@example.com,,",
        "whatsapp,+15005550006,,",
    ]
    report = take_in(admin_client, tenant, "\r\n".join(lines).encode("latin-1"))
    assert (report["accepted"], report["known"], report["rejected_total"]) == (2, 1, 5)
    told = {(bad["row"], bad["pointer"]) for bad in report["rejected"]}
    assert told == {(3, "/address"), (6, "/reason"), (7, ""), (8, "/since"), (9, "/address")}
    assert among(tenant.pk, [ANN, BOB]) == {ANN: "bounced", BOB: "complained"}
    assert Suppression.objects.get(channel="email").since.isoformat() == "2024-02-29T00:00:00+00:00"


def test_it_reads_json_lines(admin_client: Client, tenant: Tenant) -> None:
    lines = [b'{"address": "ann@example.com", "reason": "unsubscribed"}', b"[]", b"{", b'{"adress": "x"}']
    kind = "application/x-ndjson"
    report = take_in(admin_client, tenant, b"\n".join(lines), kind, "?channel=email&reason=bounced")
    assert report["accepted"] == 1
    assert [(bad["row"], bad["code"]) for bad in report["rejected"]] == [
        (2, "model_type"),
        (3, "not_json"),
        (4, "unknown_field"),
    ]
    assert among(tenant.pk, [ANN]) == {ANN: "unsubscribed"}


def test_a_long_file_is_taken_by_chunks(admin_client: Client, tenant: Tenant) -> None:
    lines = [f"sms,+1500555{n % 2_100:04}" for n in range(2_200)] + ["sms,x"] * 1_200
    report = take_in(admin_client, tenant, "\n".join(["channel,address", *lines]).encode())
    assert (report["accepted"], report["known"]) == (2_100, 100)
    assert (report["rejected_total"], len(report["rejected"])) == (1_200, 1_000)
    assert len(export(admin_client, tenant).splitlines()) == 2_101


def test_a_file_names_its_columns(admin_client: Client, tenant: Tenant) -> None:
    for body in (b"\n", b"mail\nann@example.com\n"):
        answer = post(admin_client, tenant, body, "/import", "text/csv")
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["code"] == "unknown_column"
    assert post(admin_client, tenant, b"{}", "/import").status_code == 415


@pytest.mark.parametrize(
    ("method", "path", "permission"),
    [("get", "", "view"), ("get", ".csv", "view"), ("post", "", "add"), ("post", "/import", "add")],
)
def test_it_asks_for_a_permission(tenant: Tenant, method: str, path: str, permission: str) -> None:
    body = {"content_type": "text/csv", "data": b"channel,address\n"} if path == "/import" else {}
    headers = {"X-Tenant": tenant.slug}
    lesser = staff("preferences.delete_suppression")
    assert getattr(lesser, method)(f"{URL}{path}", headers=headers, **body).status_code == 403
    holder = staff(f"preferences.{permission}_suppression")
    assert getattr(holder, method)(f"{URL}{path}", headers=headers, **body).status_code != 403
