"""`/api/v1/admin/deliveries`, `/stats`, `/notifications`: what operators look at and set going again."""

from __future__ import annotations

import csv
import datetime as dt
import logging
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone
from rest_framework.test import APIClient

from delivery import dispatch
from delivery.models import Delivery, ProviderAccount
from delivery.tests.factories import EMAIL, SMS, create_deliveries, create_delivery, create_twilio
from notifications import reports
from notifications.ledger import ledger
from notifications.tests.calls import send
from sandbox.testing import RunningSandbox
from templates_app.tests.factories import create_published, operator
from tenants.ids import first_id_at, new_id
from tenants.models import Tenant
from tenants.tests.factories import Api, create_tenant

pytestmark = pytest.mark.django_db

ON_COMMIT = pytest.mark.django_db(transaction=True)
ROOT = "/api/v1/admin"


@pytest.fixture
def client(tenant: Tenant) -> APIClient:
    return operator(tenant)


def ask(client: APIClient, path: str, **query: Any) -> Any:
    answer = client.get(f"{ROOT}/{path}", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def viewer(tenant: Tenant, *permissions: str) -> APIClient:
    """Staff that may do what is named, and nothing else."""
    client = operator(tenant, is_superuser=False)
    user = User.objects.latest("pk")
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return client


def dead(tenant: Tenant, number: int = 1, reason: str = "no_account", **over: Any) -> list[UUID]:
    ids = create_deliveries(tenant, number, **over)
    Delivery.objects.filter(pk__in=ids).update(status="failed", reason=reason)
    return ids


# — the list


def test_it_works(tenant: Tenant, client: APIClient, sandbox: RunningSandbox) -> None:
    account = create_twilio(tenant, sandbox)
    id = create_delivery(tenant)
    dispatch.run(tenant.pk, [id])
    (row,) = ask(client, "deliveries")["results"]
    assert (row["id"], row["status"], row["channel"]) == (str(id), "sent", "sms")
    assert (row["provider"], row["account"], row["attempts"]) == ("twilio", account.name, 1)
    assert row["address"] == "+1•••••0006"


def test_it_finds_by_all_that_is_given(tenant: Tenant, client: APIClient, sandbox: RunningSandbox) -> None:
    account = create_twilio(tenant, sandbox)
    (refused,) = dead(tenant, reason="address_refused")
    Delivery.objects.filter(pk=refused).update(account_id=account.pk)
    dead(tenant)
    create_delivery(tenant, EMAIL)
    for query, count in (
        ({"status": "failed"}, 2),
        ({"status": "failed", "reason": "address_refused"}, 1),
        ({"channel": "email"}, 1),
        ({"provider": "twilio"}, 1),
        ({"provider": "smtp"}, 0),
        ({"to": (timezone.now() - dt.timedelta(minutes=1)).isoformat()}, 0),
        ({"from": (timezone.now() - dt.timedelta(minutes=1)).isoformat()}, 3),
    ):
        assert len(ask(client, "deliveries", **query)["results"]) == count, query


@ON_COMMIT
def test_it_finds_by_recipient(tenant: Tenant, client: APIClient, service: Api, drain: Any) -> None:
    send(service)
    send(service, recipient={"id": "bob", "email": "bob@example.com"})
    drain()
    (row,) = ask(client, "deliveries", recipient="bob")["results"]
    assert row["address"] == "b•••@example.com"


def test_pages_follow_each_other(tenant: Tenant, client: APIClient) -> None:
    ids = [str(id) for id in create_deliveries(tenant, 5)]
    page = ask(client, "deliveries", limit=3)
    rest = client.get(page["next"]).json()
    assert [row["id"] for row in page["results"] + rest["results"]] == sorted(ids, reverse=True)


@pytest.mark.parametrize(
    ("query", "pointer"), [("status=lost", "/status"), ("from=yesterday", "/from"), ("colour=red", "/colour")]
)
def test_a_filter_that_makes_no_sense_is_400(client: APIClient, query: str, pointer: str) -> None:
    answer = client.get(f"{ROOT}/deliveries?{query}")
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_another_tenants_are_not_there(client: APIClient) -> None:
    stranger = create_tenant()
    (id,) = dead(stranger)
    assert ask(client, "deliveries")["results"] == []
    assert client.get(f"{ROOT}/deliveries/{id}").status_code == 404
    assert client.post(f"{ROOT}/deliveries/{id}/retry").status_code == 404
    assert client.post(f"{ROOT}/deliveries/retry", {}).json()["count"] == 0


def test_it_asks_for_a_permission(tenant: Tenant) -> None:
    nobody, looker = viewer(tenant), viewer(tenant, "view_delivery")
    assert nobody.get(f"{ROOT}/deliveries").status_code == 403
    assert nobody.get(f"{ROOT}/notifications").status_code == 403
    assert looker.get(f"{ROOT}/deliveries").status_code == 200
    assert looker.post(f"{ROOT}/deliveries/retry", {}).status_code == 403
    assert APIClient().get(f"{ROOT}/deliveries").status_code == 401


# — addresses


def test_whole_addresses_are_for_those_who_may(tenant: Tenant, caplog: pytest.LogCaptureFixture) -> None:
    id = create_delivery(tenant)
    looker = viewer(tenant, "view_delivery")
    assert looker.get(f"{ROOT}/deliveries?reveal=true").status_code == 403
    with caplog.at_level(logging.INFO, "notifications.api.operators"):
        trusted = viewer(tenant, "view_delivery", "reveal_address")
        assert trusted.get(f"{ROOT}/deliveries/{id}?reveal=true").json()["address"] == SMS[1]
    *_, record = caplog.records
    assert record.__dict__["user"] == User.objects.latest("pk").pk


# — one


def test_one_has_its_attempts(tenant: Tenant, client: APIClient, sandbox: RunningSandbox) -> None:
    create_twilio(tenant, sandbox)
    id = create_delivery(tenant)
    dispatch.run(tenant.pk, [id])
    (attempt,) = ask(client, f"deliveries/{id}")["attempts_made"]
    assert (attempt["number"], attempt["outcome"]) == (1, "sent")


# — the file


def table(answer: Any) -> list[dict[str, str]]:
    assert answer.status_code == 200
    return list(csv.DictReader(answer.getvalue().decode().splitlines()))


def test_it_is_a_file_too(tenant: Tenant, client: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "PAGE", 2)
    ids = [str(id) for id in create_deliveries(tenant, 5)]
    answer = client.get(f"{ROOT}/deliveries.csv")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert [row["id"] for row in table(answer)] == sorted(ids, reverse=True)


def test_no_cell_is_a_formula(tenant: Tenant, client: APIClient) -> None:
    dead(tenant, reason="=HYPERLINK(1)")
    (row,) = table(client.get(f"{ROOT}/deliveries.csv?status=failed"))
    assert (row["reason"], row["address"]) == ("'=HYPERLINK(1)", "'+1•••••0006")


# — dead letters


def test_dead_letters_lie_in_piles(tenant: Tenant, client: APIClient) -> None:
    dead(tenant, 2, "account_refused")
    dead(tenant, 3, "no_account")
    create_delivery(tenant)
    piles = ask(client, "deliveries/dead-letters")["results"]
    assert [(pile["reason"], pile["count"]) for pile in piles] == [("no_account", 3), ("account_refused", 2)]
    assert piles[0]["oldest"] <= piles[0]["newest"]


def test_one_is_put_back(tenant: Tenant, client: APIClient) -> None:
    (id,) = dead(tenant)
    assert client.post(f"{ROOT}/deliveries/{id}/retry").status_code == 202
    assert Delivery.objects.get(pk=id).status == "queued"
    again = client.post(f"{ROOT}/deliveries/{id}/retry")
    assert (again.status_code, again.json()["code"]) == (409, "not_failed")


def test_a_set_is_counted_first(tenant: Tenant, client: APIClient) -> None:
    dead(tenant, 3, "account_refused")
    dead(tenant, 2)
    asked = {"filter": {"reason": "account_refused"}, "dry_run": True}
    answer = client.post(f"{ROOT}/deliveries/retry", asked)
    assert (answer.status_code, answer.json()) == (200, {"count": 3, "left": 3, "until": None})
    assert Delivery.objects.filter(status="failed").count() == 5


def test_a_set_is_put_back_at_a_rate(tenant: Tenant, client: APIClient) -> None:
    ids = dead(tenant, 5)
    before = timezone.now()
    first = client.post(f"{ROOT}/deliveries/retry", {"rate": 0.5, "limit": 3}).json()
    assert (first["count"], first["left"]) == (3, 2)
    rest = {"rate": 0.5, "begin": first["until"]}
    assert client.post(f"{ROOT}/deliveries/retry", rest).json()["left"] == 0
    due = [Delivery.objects.get(pk=id).due_at for id in ids]
    gaps = [round((later - sooner).total_seconds(), 3) for sooner, later in pairwise(due)]
    assert gaps == [2.0] * 4, "two seconds between each, over both requests"
    assert abs(due[0] - before) < dt.timedelta(seconds=5)


def test_what_is_not_due_yet_waits(tenant: Tenant, client: APIClient, sandbox: RunningSandbox) -> None:
    create_twilio(tenant, sandbox)
    ids = dead(tenant, 3)
    client.post(f"{ROOT}/deliveries/retry", {"rate": 0.01})
    dispatch.run(tenant.pk, ids)
    assert len(sandbox.messages()) == 1
    later = Delivery.objects.filter(status="queued")
    assert all(row.ring_at == row.due_at for row in later)


@pytest.mark.parametrize("body", [{"rate": 0}, {"limit": 10**6}, {"filter": {"status": "lost"}}, {"all": 1}])
def test_a_wish_that_makes_no_sense_is_400(client: APIClient, body: dict[str, Any]) -> None:
    assert client.post(f"{ROOT}/deliveries/retry", body).status_code == 400


@ON_COMMIT
def test_the_books_balance_after_it(tenant: Tenant, client: APIClient, service: Api, drain: Any) -> None:
    send(service)  # there is no account
    drain()
    assert ledger(tenant.pk).became == {"failed": 1}
    client.post(f"{ROOT}/deliveries/retry", {})
    assert ledger(tenant.pk).became == {"processing": 1}
    drain()
    assert ledger(tenant.pk).balanced


# — stats


def test_stats_count_what_became_of_them(tenant: Tenant, client: APIClient) -> None:
    version = create_published(tenant)
    dead(tenant, 2, template_version_id=version.pk)
    create_delivery(tenant, EMAIL)
    account = ProviderAccount.objects.create(tenant=tenant, name="a", channel="email", provider="smtp")
    Delivery.objects.filter(channel="email").update(account_id=account.pk)
    by = {
        name: ask(client, "stats", by=name)["results"]
        for name in ("channel", "provider", "template", "version")
    }
    assert by["channel"] == [
        {"key": "email", "total": 1, "counts": {"queued": 1}},
        {"key": "sms", "total": 2, "counts": {"failed": 2}},
    ]
    assert [(row["key"], row["total"]) for row in by["provider"]] == [("smtp", 1), (None, 2)]
    assert [(row["key"], row["total"]) for row in by["template"]] == [(version.template.code, 2), (None, 1)]
    assert [(row["key"], row["total"]) for row in by["version"]] == [(str(version), 2), (None, 1)]


def test_stats_know_the_hour(tenant: Tenant, client: APIClient) -> None:
    at = dt.datetime(2026, 3, 29, 1, 30, tzinfo=dt.UTC)
    (old,) = create_deliveries(tenant, 1)
    moved = UUID(int=first_id_at(at).int | (new_id().int & 0xFFFF))
    Delivery.objects.filter(pk=old).update(id=moved, created_at=at)
    found = ask(client, "stats", by="hour", **{"from": "2026-03-29T01:00:00Z", "to": "2026-03-29T02:00:00Z"})
    assert found["results"] == [{"key": "2026-03-29T01:00:00Z", "total": 1, "counts": {"queued": 1}}]
    assert found["from"].startswith("2026-03-29T01:00:00")


@pytest.mark.parametrize(
    "query", ["by=colour", "from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z", "from=2020-01-01T00:00:00Z"]
)
def test_a_period_that_makes_no_sense_is_400(client: APIClient, query: str) -> None:
    assert client.get(f"{ROOT}/stats?{query}").status_code == 400


# — notifications


@ON_COMMIT
def test_notifications_are_there_with_their_trace(client: APIClient, service: Api, drain: Any) -> None:
    id = send(service)["id"]
    drain()
    assert [row["id"] for row in ask(client, "notifications", status="failed")["results"]] == [id]
    assert ask(client, f"notifications/{id}")["deliveries"][0]["reason"] == "no_account"
    assert client.get(f"{ROOT}/notifications/{new_id()}").status_code == 404
