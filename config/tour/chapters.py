"""What the tour tells: six requests, and what has to become of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from config.sandboxed import account_sid
from config.tour.evidence import Expected
from config.tour.tenant import LEE, UNREACHABLE


@dataclass(frozen=True, slots=True)
class Fault:
    """While the chapter lasts, what is the matter at the sandbox with this account of Twilio's."""

    account: str
    fault: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The account's, at the sandbox."""
        return account_sid(self.account)


@dataclass(frozen=True, slots=True)
class Chapter:
    """`order` is in every text of its notification, and in no other's. `after` is said when all went well."""

    title: str
    before: str
    waiting: str
    after: str
    order: str
    request: Mapping[str, Any]
    expected: Expected
    fault: Fault | None = None


SHIPPED = Chapter(
    title="One request, three channels",
    before="Ann's order has shipped. The shop sends one request; Carillon writes the email, the SMS and the "
    "note in her browser, each from the same template.",
    waiting="Waiting for an inbox, a phone and a browser",
    after="sent: the provider took it. delivered: a signed receipt from the phone's provider, or the browser "
    "itself, says that it is there. (The very first message also waits for code to be loaded.)",
    order="A-101",
    request={
        "recipient": "ann",
        "template": "order-shipped",
        "data": {"name": "Ann", "order": "A-101", "carrier": "DHL"},
        "type": "success",
        "channels": ["email", "sms", "in_app"],
    },
    expected=Expected(
        ends={"email": "sent", "sms": "delivered", "in_app": "delivered"},
        attempts=("email sandbox-smtp sent", "sms twilio-main sent", "in_app feed sent"),
    ),
)

EVERYWHERE = Chapter(
    title="Every bell at once",
    before="The same few words, to wherever Ann can be reached. Each vendor is spoken to in its own "
    "protocol, and the sandbox stands in for all of them.",
    waiting="Waiting for seven vendors and a browser",
    after="WhatsApp takes words of one's own only for a day after the person wrote, so the request names a "
    "template that Meta approved. Slack and Discord have no receipts; a webhook's answer is its own.",
    order="A-102",
    request={
        "recipient": "ann",
        "content": {"subject": "A-102 is ready", "title": "A-102 is ready", "body": "Come and get A-102."},
        "action": {"url": "https://demo.example/orders/A-102", "text": "View order"},
        "channels": ["email", "sms", "whatsapp", "push", "in_app", "slack", "discord", "webhook"],
        "overrides": {
            "whatsapp": {"template": {"name": "order_ready", "language": "en", "parameters": ["A-102"]}}
        },
    },
    expected=Expected(
        ends={
            "email": "sent",
            "sms": "delivered",
            "whatsapp": "delivered",
            "push": "sent",
            "in_app": "delivered",
            "slack": "sent",
            "discord": "sent",
            "webhook": "sent",
        },
        attempts=(
            "email sandbox-smtp sent",
            "sms twilio-main sent",
            "whatsapp whatsapp-cloud sent",
            "push firebase sent",
            "in_app feed sent",
            "slack slack-bot sent",
            "discord discord sent",
            "webhook webhooks sent",
        ),
    ),
)

UNDELIVERED = Chapter(
    title="Sent, and yet it does not arrive",
    before="Twilio takes Ann's SMS, and a moment later its receipt says that her phone is out of reach. The "
    "request named a second choice: SMS, or else WhatsApp.",
    waiting="Waiting for the receipt, and for WhatsApp",
    after="A receipt is believed only with its vendor's signature. Without one, a chain may also go on after "
    "so many seconds: that is its `within`.",
    order="A-103",
    request={
        "recipient": "ann",
        "template": "order-shipped",
        "data": {"name": "Ann", "order": "A-103"},
        "channels": [["sms", "whatsapp"]],
    },
    expected=Expected(
        ends={"whatsapp": "delivered"},
        attempts=("sms twilio-main sent", "whatsapp whatsapp-cloud sent"),
        passes=("sms",),
    ),
    fault=Fault("twilio-main", {"receipt": "failed"}),
)

FAILOVER = Chapter(
    title="A provider is down",
    before="From now on the SMS account twilio-main answers 503. Carillon tries it once more, then takes the "
    "next account. (Outside this demo it tries three times more.)",
    waiting="Waiting for the retry, two seconds later, and for the second account",
    after="twilio-main is well again. It rests for a moment, then gets its share back little by little.",
    order="A-104",
    request={
        "recipient": "ann",
        "template": "order-confirmation",
        "data": {"name": "Ann", "order": "A-104"},
        "channels": ["sms"],
    },
    expected=Expected(
        ends={"sms": "delivered"},
        attempts=("sms twilio-main transient", "sms twilio-main transient", "sms twilio-backup sent"),
    ),
    fault=Fault("twilio-main", {"status": 503}),
)

UNREACHED = Chapter(
    title="A phone that takes no SMS",
    before="Lee's number is a landline, so the request names a second choice: SMS, or else email.",
    waiting="Waiting for the email",
    after="The number is on the suppression list now: the next SMS to it is not even tried.",
    order="A-105",
    request={
        "recipient": {"phone": UNREACHABLE, "email": LEE},
        "template": "order-shipped",
        "data": {"name": "Lee", "order": "A-105"},
        "channels": [["sms", "email"]],
    },
    expected=Expected(ends={"email": "sent"}, attempts=("sms twilio-* address", "email sandbox-smtp sent")),
)

SCHEDULED = Chapter(
    title="Not now, but in three seconds",
    before="Ann is to be reminded at a given time. Until then the notification waits in PostgreSQL.",
    waiting="Waiting for its time",
    after="Carillon looks once a second for what is due.",
    order="A-106",
    request={
        "recipient": "ann",
        "template": "reminder",
        "data": {"name": "Ann", "title": "Parcel A-106", "when": "today at 14:00"},
        "type": "warning",
        "channels": ["email", "in_app"],
        "delay": 3,
    },
    expected=Expected(
        ends={"email": "sent", "in_app": "delivered"},
        attempts=("email sandbox-smtp sent", "in_app feed sent"),
        accepted="scheduled",
    ),
)

CHAPTERS = (SHIPPED, EVERYWHERE, UNDELIVERED, FAILOVER, UNREACHED, SCHEDULED)
