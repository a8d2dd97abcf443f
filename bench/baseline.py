"""The first yardstick: the same work as it is usually written, with the ORM, a task for each message.

    celery -A bench.baseline worker --concurrency=2 --queues=bench

It is written with care: connections, accounts, categories and compiled templates are kept, a message costs
two commits.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import Any
from uuid import UUID

import django
import requests
from celery import Celery
from django.core.mail import EmailMultiAlternatives, get_connection
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from minijinja import Environment
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client

django.setup(set_prefix=False)  # first: what follows imports models

from delivery.accounts import settings_of  # noqa: E402
from delivery.models import Attempt, Delivery, DeliveryStatus, Outcome, ProviderAccount  # noqa: E402
from notifications.mailbox import show  # noqa: E402
from notifications.models import Feed, FeedItem, Notification, NotificationStatus  # noqa: E402
from notifications.realtime.frames import Address, Frame  # noqa: E402
from notifications.realtime.push import publish  # noqa: E402
from preferences import keyed  # noqa: E402
from preferences.models import Category, Preference, Recipient, Suppression  # noqa: E402
from templates_app.models import TemplateContent  # noqa: E402

QUEUE = "bench"

app = Celery("bench", broker=os.environ["REDIS_URL"], set_as_current=False)
app.conf.update(task_default_queue=QUEUE, task_ignore_result=True, broker_connection_retry_on_startup=True)
app.conf["CELERY_DB_REUSE_MAX"] = sys.maxsize  # else Celery opens a connection anew for each task


@app.task(name="bench.send")
def send(notification_id: str) -> None:
    """All of one notification, from its row to its settled delivery."""
    notification = Notification.objects.get(pk=notification_id)
    (channel,) = notification.channels
    recipient = Recipient.objects.get(
        tenant_id=notification.tenant_id,
        type=notification.recipient_type,
        external_id=notification.recipient_external_id,
    )
    to = {"sms": recipient.phone, "email": recipient.email, "in_app": str(recipient.pk)}[channel]
    if not _wants(notification, recipient, channel, to):
        Notification.objects.filter(pk=notification.pk).update(status=NotificationStatus.SUPPRESSED)
        return
    delivery = _delivery(notification, recipient, channel, to)
    words = _words(notification, channel)
    began = timezone.now()
    account = _account(notification.tenant_id, channel)
    message_id = _SEND[channel](account, delivery, words)
    _settle(notification, delivery, account, message_id, began)
    if channel == "in_app":
        _push(notification, recipient, words)


def _wants(notification: Notification, recipient: Recipient, channel: str, to: str) -> bool:
    hashes = [digest.value for digest in keyed.of_address(channel, to)]
    of_tenant = Suppression.objects.filter(tenant_id=notification.tenant_id, channel=channel)
    if of_tenant.filter(address_hash__in=hashes).exists():
        return False
    switches = {(p.key, p.channel): p.enabled for p in Preference.objects.filter(recipient=recipient)}
    by_channel = switches.get(("", channel), True)
    return _is_critical(notification.tenant_id, notification.category) or switches.get(
        (notification.category, channel), by_channel
    )


@cache
def _is_critical(tenant_id: UUID, category: str) -> bool:
    return Category.objects.get(tenant_id=tenant_id, code=category).is_critical


def _delivery(notification: Notification, recipient: Recipient, channel: str, to: str) -> Delivery:
    return Delivery.objects.create(
        tenant_id=notification.tenant_id,
        notification_id=notification.pk,
        recipient_id=recipient.pk,
        category=notification.category,
        priority=notification.priority,
        status=DeliveryStatus.SENDING,
        routes=[[channel, to]],
        channel=channel,
        address=to,
        template_version_id=notification.template_version_id,
        locale=recipient.locale,
        payload={"data": notification.data},
        unknown_policy="resend",
        attempt=1,
    )


def _words(notification: Notification, channel: str) -> dict[str, str]:
    parts, compiled = _compiled(notification.template_version_id, channel)
    return {part: compiled.render_template(part, **notification.data) for part in parts}


@cache
def _compiled(version_id: UUID, channel: str) -> tuple[list[str], Environment]:
    sources = TemplateContent.objects.get(version_id=version_id, channel=channel, locale="en").sources()
    return list(sources), Environment(templates=sources)


@cache
def _account(tenant_id: UUID, channel: str) -> ProviderAccount | None:
    return ProviderAccount.objects.filter(tenant_id=tenant_id, channel=channel).first()


def _settle(
    notification: Notification,
    delivery: Delivery,
    account: ProviderAccount | None,
    message_id: str,
    began: Any,
) -> None:
    now = timezone.now()
    with transaction.atomic():
        Attempt.objects.create(
            tenant_id=delivery.tenant_id,
            delivery=delivery,
            number=1,
            channel=delivery.channel,
            provider=account.provider if account else "",
            account_id=account.pk if account else None,
            outcome=Outcome.SENT,
            provider_message_id=message_id,
            started_at=began,
        )
        ended = {"status": DeliveryStatus.SENT, "changed_at": now}
        Delivery.objects.filter(pk=delivery.pk).update(**ended, sent_at=now)
        Notification.objects.filter(pk=notification.pk).update(**ended)


def _push(notification: Notification, recipient: Recipient, words: dict[str, str]) -> None:
    with transaction.atomic():
        feed, _ = Feed.objects.get_or_create(recipient_id=recipient.pk, tenant_id=notification.tenant_id)
        Feed.objects.filter(pk=feed.pk).update(seq=F("seq") + 1, unread=F("unread") + 1)
        feed.refresh_from_db()
        item = FeedItem.objects.create(
            id=notification.pk,
            tenant_id=notification.tenant_id,
            recipient_id=recipient.pk,
            seq=feed.seq,
            type=notification.type,
            category=notification.category,
            data=notification.data,
            **words,
        )
    to = Address(notification.tenant_id, recipient.type, recipient.external_id)
    publish([Frame(to, "notification:new", show(item), item.seq)])


class _ToSink(HttpClient):  # type: ignore[misc]
    """Twilio's client always calls Twilio's host; this one calls the account's, over a kept session."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._session = requests.Session()

    def request(self, method: str, uri: str, **options: Any) -> Response:
        url = uri.replace("https://api.twilio.com", self._base_url)
        answer = self._session.request(method, url, **options)
        return Response(answer.status_code, answer.text)


@cache
def _twilio(account_id: UUID) -> tuple[Client, str]:
    settings: Any = settings_of(ProviderAccount.objects.get(pk=account_id))
    who = settings.account_sid, settings.auth_token.get_secret_value()
    return Client(*who, http_client=_ToSink(settings.base_url)), settings.sender


def _send_sms(account: ProviderAccount | None, delivery: Delivery, words: dict[str, str]) -> str:
    assert account is not None
    client, sender = _twilio(account.pk)
    sid: str = client.messages.create(to=delivery.address, from_=sender, body=words["body"]).sid
    return sid


def _send_email(account: ProviderAccount | None, delivery: Delivery, words: dict[str, str]) -> str:
    assert account is not None
    own = account.settings
    connection = get_connection(host=own["host"], port=own["port"], use_tls=False)
    envelope = {"from_email": own["sender"], "to": [delivery.address], "connection": connection}
    mail = EmailMultiAlternatives(words["subject"], words["body"], **envelope)
    mail.attach_alternative(words["html"], "text/html")
    mail.send()
    return ""


def _send_in_app(account: ProviderAccount | None, delivery: Delivery, words: dict[str, str]) -> str:
    return ""


_SEND = {"sms": _send_sms, "email": _send_email, "in_app": _send_in_app}
