"""WhatsApp by Twilio: our own provider sends by it and reads what it posts, so that both speak the same."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
import requests
from pydantic import SecretStr

from delivery import loop
from delivery.providers.base import (
    Content,
    ErrorKind,
    Inbound,
    Message,
    ParsedReceipt,
    ProviderError,
    ReceiptRequest,
    ReceiptStatus,
    Sent,
)
from delivery.providers.sms.twilio import TwilioSms
from delivery.providers.twilio.messages import TwilioMessages
from delivery.providers.whatsapp.twilio import TwilioWhatsApp
from sandbox.faults import Fault
from sandbox.testing import RunningSandbox
from sandbox.tests.conftest import Application
from sandbox.twilio_progress import course
from sandbox.windows import WINDOW, Windows

ACCOUNT, TOKEN = "AC" + "7" * 32, "a-token"
OURS, TEMPLATE = "+15005550006", "HX" + "1" * 32
SHIPPED = {"template": {"name": TEMPLATE, "parameters": ["Ann", "A-17 ☕"]}}

_people = itertools.count(15552220000)


@pytest.fixture
def ann() -> str:
    """A number that nobody has written from yet: windows outlive a test."""
    return f"+{next(_people)}"


def provider(
    sandbox: RunningSandbox, kind: type[TwilioMessages] = TwilioWhatsApp, callback: str = ""
) -> TwilioMessages:
    token = SecretStr(TOKEN)
    settings = kind.Settings(account_sid=ACCOUNT, auth_token=token, sender=OURS, base_url=sandbox.http_url)
    return kind(settings, receipt_url=callback.partition("?")[0], timeout=5.0)


def message(to: str, overrides: Mapping[str, Any]) -> Message:
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    id = uuid4()
    return Message(id, f"{id}.1", to, Content(body="Hi ☕"), overrides=overrides, window_until=soon)


def send(sandbox: RunningSandbox, to: str, overrides: Mapping[str, Any], callback: str = "") -> Sent:
    (outcome,) = loop.run(provider(sandbox, callback=callback).send([message(to, overrides)]))
    assert isinstance(outcome, Sent), outcome
    return outcome


def write(sandbox: RunningSandbox, sender: str, text: str = "Hello", **over: str) -> requests.Response:
    said = {"from": f"whatsapp:{sender}", "to": f"whatsapp:{OURS}", "text": text, **over}
    return requests.post(f"{sandbox.http_url}/twilio/{ACCOUNT}/replies", json=said, timeout=5)


def heard(
    sandbox: RunningSandbox, application: Application, count: int, kind: type[TwilioMessages] = TwilioWhatsApp
) -> list[ParsedReceipt | Inbound]:
    """What our provider makes of so many posts, in whichever order they came, once it has verified them."""
    application.wait_for(count)
    ours = provider(sandbox, kind)
    items: list[ParsedReceipt | Inbound] = []
    for form, signature, url in application.received:
        request = ReceiptRequest("POST", url, {"x-twilio-signature": signature}, urlencode(form).encode())
        ours.verify(request)
        items += ours.parse(request)
    return items


def failure(sandbox: RunningSandbox, application: Application) -> ProviderError:
    (receipt,) = heard(sandbox, application, 1)
    assert isinstance(receipt, ParsedReceipt)
    assert receipt.error is not None
    return receipt.error


def test_it_works(sandbox: RunningSandbox, application: Application, ann: str) -> None:
    outcome = send(sandbox, ann, SHIPPED, application.url)
    (kept,) = sandbox.messages(channel="whatsapp", provider="twilio")
    assert (kept["account"], kept["to"], kept["from"]) == (ACCOUNT, ann, OURS)
    assert kept["text"] == f"{TEMPLATE}\n1: Ann\n2: A-17 ☕"
    assert kept["data"]["template"] == {"name": TEMPLATE, "variables": {"1": "Ann", "2": "A-17 ☕"}}
    receipts = [r for r in heard(sandbox, application, 2) if isinstance(r, ParsedReceipt)]
    assert {r.status for r in receipts} == {ReceiptStatus.SENT, ReceiptStatus.DELIVERED}
    assert {r.message_id for r in receipts} == {outcome.message_id}
    assert {form["To"] for form, _, _ in application.received} == {f"whatsapp:{ann}"}


def test_it_may_be_read(sandbox: RunningSandbox, application: Application, ann: str) -> None:
    sandbox.fault(ACCOUNT, receipt="read")
    send(sandbox, ann, SHIPPED, application.url)
    statuses = {r.status for r in heard(sandbox, application, 3) if isinstance(r, ParsedReceipt)}
    assert statuses == {ReceiptStatus.SENT, ReceiptStatus.DELIVERED, ReceiptStatus.OPENED}


def test_a_text_message_is_never_read() -> None:
    steps = course({"To": "+15551234567"}, Fault(receipt="read"), may_write=False)
    assert steps == [("sent", None), ("delivered", None)]


def test_words_of_ones_own_reach_who_has_written(
    sandbox: RunningSandbox, application: Application, ann: str
) -> None:
    write(sandbox, ann)
    media = {"media": {"type": "image", "url": "https://shop.example/shoe.jpg"}}
    send(sandbox, ann, media, application.url)
    assert set(application.wait_for(2)) == {"sent", "delivered"}
    (kept,) = sandbox.messages(channel="whatsapp", to=ann)
    assert (kept["text"], kept["data"]["media"]) == ("Hi ☕", "https://shop.example/shoe.jpg")


def test_they_do_not_reach_who_has_not(sandbox: RunningSandbox, application: Application, ann: str) -> None:
    send(sandbox, ann, {}, application.url)
    error = failure(sandbox, application)
    assert (error.kind, error.code, error.permanent) == (ErrorKind.ADDRESS, "window_closed", False)
    (kept,) = sandbox.messages(to=ann)
    assert (kept["data"]["status"], kept["data"]["error_code"]) == ("undelivered", 63016)


def test_a_window_is_open_for_a_day_and_for_one_account() -> None:
    now = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    windows = Windows(lambda: now)
    windows.opened("AC1", "+1555")
    now += WINDOW - dt.timedelta(seconds=1)
    assert windows.is_open("AC1", "+1555")
    assert not windows.is_open("AC2", "+1555")
    assert not windows.is_open("AC1", "+1556")
    now += dt.timedelta(seconds=1)
    assert not windows.is_open("AC1", "+1555")


def test_who_has_no_whatsapp_is_found_out_later(sandbox: RunningSandbox, application: Application) -> None:
    send(sandbox, "+15005550009", SHIPPED, application.url)
    error = failure(sandbox, application)
    assert (error.kind, error.code, error.permanent) == (ErrorKind.ADDRESS, "63003", True)


def test_a_delivery_can_fail(sandbox: RunningSandbox, application: Application, ann: str) -> None:
    sandbox.fault(ACCOUNT, receipt="failed")
    send(sandbox, ann, SHIPPED, application.url)
    receipts = [r for r in heard(sandbox, application, 2) if isinstance(r, ParsedReceipt)]
    assert {r.error.code for r in receipts if r.error} == {"63024"}


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({"To": "whatsapp:+15005550001"}, 21211),
        ({"To": "whatsapp:Ann"}, 21211),
        ({"From": OURS}, 21910),
        ({"ContentSid": "order_shipped"}, 21655),
        ({"ContentSid": ""}, 21654),
        ({"ContentVariables": "{"}, 21656),
        ({"ContentVariables": "[]"}, 21656),
        ({"ContentVariables": '{"1": null}'}, 21656),
        ({"ContentVariables": '{"1": ""}'}, 21656),
        ({"ContentVariables": '{"1": "a\\nb"}'}, 21656),
    ],
)
def test_it_refuses_with_twilios_codes(
    sandbox: RunningSandbox, ann: str, over: dict[str, str], code: int
) -> None:
    good = {"To": f"whatsapp:{ann}", "From": f"whatsapp:{OURS}", "Body": "Hi", "ContentSid": TEMPLATE}
    form = {**good, "ContentVariables": '{"1": "Ann"}', **over}
    url = f"{sandbox.http_url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    answer = requests.post(url, data=form, auth=(ACCOUNT, TOKEN), timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert sandbox.messages() == []


# — replies


def test_somebody_replies(sandbox: RunningSandbox, application: Application, ann: str) -> None:
    sandbox.webhook(ACCOUNT, application.url, TOKEN)
    assert write(sandbox, ann, "STOP ☕").status_code == 204
    (reply,) = heard(sandbox, application, 1)
    assert isinstance(reply, Inbound)
    assert (reply.sender, reply.to, reply.text) == (ann, OURS, "STOP ☕")
    assert application.received[0][0]["WaId"] == ann.removeprefix("+")


def test_somebody_replies_by_text(sandbox: RunningSandbox, application: Application, ann: str) -> None:
    sandbox.webhook(ACCOUNT, application.url, TOKEN)
    write(sandbox, ann, "Arrêt", **{"from": ann, "to": OURS, "opt_out": "STOP"})
    (reply,) = heard(sandbox, application, 1, TwilioSms)
    assert isinstance(reply, Inbound)
    assert (reply.sender, reply.to, reply.text) == (ann, OURS, "Arrêt")
    assert application.received[0][0]["OptOutType"] == "STOP"


def test_a_number_may_have_a_webhook_of_its_own(
    sandbox: RunningSandbox, application: Application, ann: str
) -> None:
    sandbox.webhook(ACCOUNT, "http://127.0.0.1:9/", "another")
    sandbox.webhook(f"whatsapp:{OURS}", application.url, TOKEN)
    write(sandbox, ann)
    assert len(heard(sandbox, application, 1)) == 1


def test_nobody_replies_to_nobody(sandbox: RunningSandbox, ann: str) -> None:
    assert write(sandbox, ann).status_code == 409


@pytest.mark.parametrize("over", [{"from": "Ann"}, {"to": ""}, {"opt_out": "MAYBE"}, {"body": "Hi"}])
def test_it_refuses_a_reply_that_is_none(sandbox: RunningSandbox, ann: str, over: dict[str, str]) -> None:
    assert write(sandbox, ann, **over).status_code == 422
