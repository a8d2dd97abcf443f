"""Files that go with mails: as base64 in the request, or fetched from a URL when they go out."""

from __future__ import annotations

import datetime as dt
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.files.storage import storages
from django.utils import timezone
from pytest_django.fixtures import Settings

from delivery import attachments, dispatch, fetching
from delivery.models import Delivery, StoredFile
from delivery.providers.base import ProviderError
from delivery.tests.contract import Answer, HttpContract, Server, Signal
from delivery.tests.factories import create_smtp, make_due
from notifications.models import Notification
from notifications.tests.calls import NOTIFICATIONS, a_notification, look, send
from sandbox.testing import RunningSandbox
from tenants.models import Tenant
from tenants.tests.factories import Api

pytestmark = pytest.mark.django_db(transaction=True)

PDF = b"%PDF-1.7 the invoice"
FIRST = "/overrides/email/attachments/0"
INVOICE = {"filename": "invoice.pdf", "content": b64encode(PDF).decode()}


@pytest.fixture(autouse=True)
def _mail(tenant: Tenant, sandbox: RunningSandbox, settings: Settings, tmp_path: Any) -> Iterator[None]:
    place = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = {**settings.STORAGES, "attachments": place}
    settings.NOTIFICATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    create_smtp(tenant, sandbox)
    yield
    fetching.memory.clear()


def with_files(*files: dict[str, Any]) -> dict[str, Any]:
    return {"overrides": {"email": {"attachments": list(files)}}}


def refusal(service: Api, *files: dict[str, Any]) -> tuple[int, str, str]:
    answer = service.post(f"{NOTIFICATIONS}/send", a_notification(**with_files(*files)))
    (error, *_) = answer.json()["errors"]
    return answer.status_code, error["code"], error["pointer"]


def received(sandbox: RunningSandbox) -> list[tuple[str, str, int]]:
    """Name, type and size of what came with the last mail."""
    parts = sandbox.messages()[0]["data"]["attachments"]
    return [(part["name"], part["type"], part["size"]) for part in parts]


def answering(*answers: Answer) -> Server:
    """Gives each answer once, and the last one again and again."""

    class Asked(Server):
        def answer(self, asked: bytes) -> Answer:
            return answers[min(len(self.requests), len(answers)) - 1]

    return Asked(HttpContract(), Signal.TAKEN)


def test_it_works(service: Api, sandbox: RunningSandbox, drain: Callable[[], Any]) -> None:
    send(service, **with_files(INVOICE))
    drain()
    assert received(sandbox) == [("invoice.pdf", "application/pdf", len(PDF))]


def test_the_same_file_is_kept_once(tenant: Tenant, service: Api) -> None:
    for name in ("a.pdf", "b.pdf"):
        send(service, **with_files({**INVOICE, "filename": name}))
    (row,) = StoredFile.objects.all()
    assert (row.tenant_id, row.size, row.sha256) == (tenant.pk, len(PDF), attachments.hash_of(PDF))
    kept = [n.overrides["email"]["attachments"] for n in Notification.objects.order_by("pk")]
    assert kept == [[{"filename": name, "sha256": row.sha256}] for name in ("a.pdf", "b.pdf")]


def test_an_image_stands_inside_the_html(service: Api, sandbox: RunningSandbox, drain: Any) -> None:
    logo = {"filename": "logo.png", "content": b64encode(b"\x89PNG").decode(), "content_id": "logo"}
    send(service, content={"subject": "Hi", "html": '<img alt="Shop" src="cid:logo">'}, **with_files(logo))
    drain()
    assert "Content-ID: <logo>" in sandbox.messages()[0]["raw"]


def test_a_url_is_fetched_once_for_all(service: Api, sandbox: RunningSandbox, drain: Any) -> None:
    with answering((200, {"Content-Type": "application/pdf; x=y"}, PDF)) as server:
        for _ in range(3):
            send(service, **with_files({"filename": "terms", "url": f"{server.url}/terms"}))
        drain()
        assert len(server.requests) == 1
    assert received(sandbox) == [("terms", "application/pdf", len(PDF))]
    assert not StoredFile.objects.exists()


def test_a_url_that_is_away_is_asked_again(service: Api, sandbox: RunningSandbox, drain: Any) -> None:
    with answering((503, {}, b""), (200, {}, PDF)) as server:
        id = send(service, **with_files({"filename": "a.pdf", "url": server.url}))["id"]
        drain()
        (delivery,) = look(service, id)["deliveries"]
        assert (delivery["status"], delivery["reason"]) == ("queued", "retrying")
        assert delivery["detail"].startswith("attachment_unavailable: ")
        make_due(delivery["id"])
        row = Delivery.objects.get()
        dispatch.run(row.tenant_id, [row.pk])
    assert received(sandbox) == [("a.pdf", "application/pdf", len(PDF))]


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        ((404, {}, b""), "attachment_refused: an attachment cannot be fetched: HTTP 404"),
        ((200, {}, b"x" * 2000), "attachment_too_large: an attachment has more than 1000 bytes"),
    ],
)
def test_a_url_that_gives_nothing_ends_it(
    service: Api, settings: Settings, drain: Any, answer: Answer, detail: str
) -> None:
    settings.ATTACHMENT_MAX_BYTES = 1000
    with answering(answer) as server:
        id = send(service, **with_files({"filename": "a.pdf", "url": server.url}))["id"]
        drain()
    (delivery,) = look(service, id)["deliveries"]
    assert (delivery["status"], delivery["detail"]) == ("failed", detail)


def test_a_url_that_leads_inside_is_not_asked(service: Api, settings: Settings, drain: Any) -> None:
    settings.NOTIFICATION_PRIVATE_NETWORKS = []
    with answering((200, {}, PDF)) as server:
        id = send(service, **with_files({"filename": "a.pdf", "url": server.url}))["id"]
        drain()
        assert not server.requests
    assert look(service, id)["deliveries"][0]["status"] == "failed"


def test_one_that_lacks_its_file_does_not_keep_the_others(
    service: Api, sandbox: RunningSandbox, drain: Any
) -> None:
    send(service, **with_files(INVOICE))
    for row in StoredFile.objects.all():
        storages["attachments"].delete(f"{row.tenant_id}/{row.sha256[:2]}/{row.sha256}")
    send(service)
    drain()
    statuses = Delivery.objects.order_by("pk").values_list("status", "reason")
    assert list(statuses) == [("failed", "address_refused"), ("sent", "")]


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ({"filename": "a.pdf"}, (400, "value_error", "/overrides/email/attachments/0")),
        (
            {**INVOICE, "url": "https://x.example"},
            (400, "value_error", "/overrides/email/attachments/0"),
        ),
        (
            {"filename": "../a.pdf", "content": ""},
            (400, "string_pattern_mismatch", f"{FIRST}/filename"),
        ),
        (
            {"filename": "a.pdf", "content": "not base64"},
            (400, "invalid_base64", "/overrides/email/attachments/0/content"),
        ),
        ({**INVOICE, "filename": "a.EXE"}, (422, "attachment_refused", "/overrides/email/attachments/0")),
        (
            {"filename": "a.pdf", "content": b64encode(b"x" * 900).decode()},
            (413, "attachment_too_large", "/overrides/email/attachments/0"),
        ),
    ],
)
def test_what_is_no_attachment_is_refused(
    service: Api, settings: Settings, file: dict[str, Any], expected: tuple[int, str, str]
) -> None:
    settings.ATTACHMENT_MAX_BYTES = 800
    assert refusal(service, file) == expected
    assert not StoredFile.objects.exists()


def test_too_many_bytes_together_are_refused(service: Api, settings: Settings) -> None:
    settings.ATTACHMENTS_MAX_BYTES = 30
    assert refusal(service, INVOICE, INVOICE) == (
        413,
        "attachments_too_large",
        "/overrides/email/attachments",
    )


def test_explain_keeps_no_file(service: Api) -> None:
    answer = service.post(f"{NOTIFICATIONS}/explain", a_notification(**with_files(INVOICE)))
    assert answer.status_code == 200
    assert not StoredFile.objects.exists()


def test_a_file_is_kept_as_long_as_it_may_be_needed(tenant: Tenant, service: Api) -> None:
    send(service, **with_files(INVOICE), delay=86_400)
    until = StoredFile.objects.get().keep_until
    send(service, **with_files(INVOICE))
    assert StoredFile.objects.get().keep_until == until, "never for less"
    assert until > timezone.now() + dt.timedelta(days=30, hours=23)


def test_what_nobody_needs_is_purged(tenant: Tenant, service: Api) -> None:
    send(service, **with_files(INVOICE))
    assert attachments.purge() == 0
    StoredFile.objects.update(keep_until=timezone.now())
    assert attachments.purge() == 1
    assert not StoredFile.objects.exists()
    with pytest.raises(ProviderError, match="purged"):
        attachments.load(tenant.pk, attachments.hash_of(PDF))
    send(service, **with_files(INVOICE))
    assert attachments.load(tenant.pk, attachments.hash_of(PDF)) == PDF


def test_a_file_that_was_tampered_with_is_not_sent(tenant: Tenant, service: Api) -> None:
    send(service, **with_files(INVOICE))
    sha256 = attachments.hash_of(PDF)
    with storages["attachments"].open(f"{tenant.pk}/{sha256[:2]}/{sha256}", "wb") as file:
        file.write(b"%PDF-1.7 another invoice")
    with pytest.raises(ProviderError, match="not what was stored"):
        attachments.load(tenant.pk, sha256)
