"""Which version of its template a notification is pinned to, and what that version asks of its data."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from notifications.intake import Accepted, accept
from notifications.models import Notification
from notifications.planning import plan
from notifications.requests import NewNotification
from notifications.tests.calls import NOTIFICATIONS, a_notification, look, send
from templates_app import canaries, catalog
from templates_app.inspection import Draft
from templates_app.models import TemplateVersion
from templates_app.publishing import publish, save_draft
from templates_app.tests.factories import create_template
from tenants.models import Tenant
from tenants.tests.factories import Api

pytestmark = pytest.mark.django_db

ORDER = {
    "type": "object",
    "required": ["order"],
    "properties": {
        "order": {
            "type": "object",
            "required": ["total"],
            "properties": {"total": {"type": "number"}, "id": {"type": "string"}},
            "additionalProperties": False,
        }
    },
}
SAMPLE = {"order": {"total": 12.5, "id": "A-17"}}


@pytest.fixture(autouse=True)
def _forget() -> None:
    catalog.forget()


def a_version(tenant: Tenant, template: Any = None, *contents: Draft, **over: Any) -> TemplateVersion:
    words = contents or (Draft("in_app", "en", {"title": "Order {{ order.id }}"}),)
    said = {"sample_data": SAMPLE, "schema": ORDER, **over}
    return save_draft(template or create_template(tenant, "order"), words, said.pop("sample_data"), **said)


def ordered(recipient: Any = "ann", **data: Any) -> dict[str, Any]:
    body = a_notification(recipient=recipient, template="order", channels=["in_app"], data=data or SAMPLE)
    del body["content"]
    return body


def chosen(seen: Any) -> tuple[str, str]:
    steps = seen["trace"] if "trace" in seen else seen["decisions"]
    (step,) = [step for step in steps if step["step"] == "version"]
    return step["decision"], step["reason"]


def test_it_works(tenant: Tenant, service: Api) -> None:
    """A tenth get the canary, always the same; trace and explanation say so, the row is pinned to it."""
    first = publish(a_version(tenant))
    second = a_version(tenant, first.template)
    canaries.start(second, Decimal(10))
    catalog.forget()

    people = [f"user-{n}" for n in range(400)]
    sent = accept(tenant, [NewNotification.model_validate(ordered(person)) for person in people])

    ids = [answer.id for answer in sent if isinstance(answer, Accepted)]
    pinned = dict(Notification.objects.in_bulk(ids).items())
    tried = {pinned[id].recipient_external_id for id in ids if pinned[id].template_version_id == second.pk}
    assert 20 <= len(tried) <= 65  # of 400 a tenth: within four standard deviations
    someone, another = min(tried), min(set(people) - tried)
    for person, expected in ((someone, ("version 2", "canary")), (another, ("version 1", "not_in_canary"))):
        id = next(id for id in ids if pinned[id].recipient_external_id == person)
        assert chosen(look(service, str(id))) == expected
        assert chosen(service.post(f"{NOTIFICATIONS}/explain", ordered(person)).json()) == expected
    described = ordered({"id": someone, "type": "user", "email": "someone@example.com"})
    assert chosen(service.post(f"{NOTIFICATIONS}/explain", described).json()) == ("version 2", "canary")

    canaries.start(second, Decimal(50))
    catalog.forget()
    again = accept(tenant, [NewNotification.model_validate(ordered(person)) for person in sorted(tried)])
    ids = [answer.id for answer in again if isinstance(answer, Accepted)]
    assert {n.template_version_id for n in Notification.objects.filter(pk__in=ids)} == {second.pk}


def test_somebody_without_an_id_is_told_by_their_address(tenant: Tenant, service: Api) -> None:
    first = publish(a_version(tenant))
    canaries.start(a_version(tenant, first.template), Decimal(50))
    catalog.forget()
    for number in range(12):
        phone = f"+1500555{number:04}"
        spelled = [{"phone": phone}, {"phone": f"+1 (500) 555-{number:04}", "locale": "de"}]
        told = [service.post(f"{NOTIFICATIONS}/explain", ordered(one, **SAMPLE)).json() for one in spelled]
        assert chosen(told[0]) == chosen(told[1])


def test_a_request_may_name_the_version(tenant: Tenant, service: Api) -> None:
    first = publish(a_version(tenant))
    canaries.start(a_version(tenant, first.template), Decimal(100))
    catalog.forget()
    sent = service.post(f"{NOTIFICATIONS}/send", {**ordered(), "template_version": 1})
    assert chosen(look(service, sent.json()["id"])) == ("version 1", "requested")


def test_what_the_canary_cannot_serve_the_published_version_does(tenant: Tenant, service: Api) -> None:
    """It asks for more, or has no words for the channel: nobody is refused for that it is tried."""
    first = publish(a_version(tenant))
    asks_more = {**ORDER, "required": ["order", "coupon"]}
    canaries.start(
        a_version(tenant, first.template, schema=asks_more, sample_data={**SAMPLE, "coupon": "X"}),
        Decimal(100),
    )
    catalog.forget()
    sent = service.post(f"{NOTIFICATIONS}/send", ordered())
    assert chosen(look(service, sent.json()["id"])) == ("version 1", "canary_refused")
    sent = service.post(f"{NOTIFICATIONS}/send", ordered(**SAMPLE, coupon="X"))
    assert chosen(look(service, sent.json()["id"])) == ("version 2", "canary")

    canaries.start(a_version(tenant, first.template, Draft("sms", "en", {"body": "Hi"})), Decimal(100))
    catalog.forget()
    sent = service.post(f"{NOTIFICATIONS}/send", ordered())
    assert chosen(look(service, sent.json()["id"])) == ("version 1", "canary_refused")


def test_the_trace_goes_on_from_there(tenant: Tenant, service: Api) -> None:
    publish(a_version(tenant))
    catalog.forget()
    sent = service.post(f"{NOTIFICATIONS}/send", ordered()).json()
    plan(tenant.pk, [UUID(sent["id"])])
    steps = [step["step"] for step in look(service, sent["id"])["trace"]]
    assert steps[:3] == ["accept", "version", "plan"]


def test_ready_words_have_no_version(tenant: Tenant, service: Api) -> None:
    seen = look(service, send(service, recipient="ann")["id"])
    assert [step["step"] for step in seen["trace"]][:1] == ["accept"]
    assert not [step for step in seen["trace"] if step["step"] == "version"]


@pytest.mark.parametrize(
    ("data", "pointer", "code"),
    [
        ({"order": {"total": "12"}}, "/data/order/total", "invalid_variable"),
        ({"order": {"id": "A-17"}}, "/data/order/total", "missing_variable"),
        ({"order": {"total": 1, "colour": "red"}}, "/data/order/colour", "unknown_variable"),
        ({"name": "Ann"}, "/data/order", "missing_variable"),
    ],
)
def test_it_points_at_what_does_not_fit(
    tenant: Tenant, service: Api, data: dict[str, Any], pointer: str, code: str
) -> None:
    publish(a_version(tenant))
    catalog.forget()
    answer = service.post(f"{NOTIFICATIONS}/send", ordered(**data))
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [(pointer, code)]
    assert not Notification.objects.exists()


def test_bad_items_do_not_spoil_good_ones(tenant: Tenant, service: Api) -> None:
    publish(a_version(tenant))
    catalog.forget()
    items = [ordered(), ordered("bob", order={"total": "12"}), ordered("cid")]
    told = service.post(f"{NOTIFICATIONS}/send-batch", {"notifications": items}).json()
    assert told["accepted"] == 2
    (rejected,) = told["rejected"]
    assert rejected["index"] == 1
    assert (rejected["code"], rejected["pointer"]) == (
        "invalid_variable",
        "/notifications/1/data/order/total",
    )
