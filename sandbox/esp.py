"""What the mail services' stand-ins share: a mail is kept, and its fate is told to the account's webhook."""

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from functools import partial
from typing import Any

from aiohttp import web

from sandbox import magic
from sandbox.faults import Fault
from sandbox.http_vendor import HttpVendor
from sandbox.receipts import Post
from sandbox.store import Content, Message
from sandbox.webhooks import Webhook

Report = Callable[[int | str], None]
ADDRESS = re.compile(r"[^@\s<>]+@[^@\s<>]+")


class News(Enum):
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    DEFERRED = "deferred"
    COMPLAINED = "complained"


FATES: dict[magic.Fate, Sequence[News]] = {
    magic.Fate.BOUNCE: (News.BOUNCED,),
    magic.Fate.DEFER: (News.DEFERRED, News.DELIVERED),
    magic.Fate.COMPLAINT: (News.DELIVERED, News.COMPLAINED),
}


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to one recipient, as the service understood it. `id` is what its webhooks call it."""

    id: str
    to: str
    sender: str
    subject: str
    text: str | None
    html: str | None
    metadata: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)


class EspVendor(HttpVendor):
    """A subclass reads requests into mails, keeps them, and says how it tells what became of one."""

    channel = "email"

    def told(self, news: News, mail: Mail, webhook: Webhook) -> tuple[bytes, dict[str, str]]:
        """Body and headers of the post, signed as this service signs."""
        raise NotImplementedError(f"{self.name} says neither what it posts nor how")

    def keep(self, request: web.Request, fault: Fault, mails: Sequence[Mail], source: bytes) -> None:
        account = self.account(request)
        for mail in mails:
            message = self._message(mail, account, source)
            self.store.add(message)
            if fault.receipt != "none":
                fate = self._fate(mail, fault)
                asyncio.get_running_loop().call_later(
                    fault.receipt_delay_ms / 1000, self._tell, list(fate), mail, message, fault
                )

    def _fate(self, mail: Mail, fault: Fault) -> Sequence[News]:
        if fault.receipt == "failed":
            return (News.BOUNCED,)
        return FATES.get(magic.email_fate(mail.to), (News.DELIVERED,))

    def _message(self, mail: Mail, account: str, source: bytes) -> Message:
        return Message(
            channel=self.channel,
            provider=self.name,
            account=account,
            to=mail.to,
            sender=mail.sender,
            size=len(source),
            parse=partial(_content, mail, source),
            state={"id": mail.id, "status": "accepted", "webhooks": []},
        )

    def _tell(self, fate: list[News], mail: Mail, message: Message, fault: Fault) -> None:
        """One after the other, as far apart as the first was from the mail."""
        news = fate.pop(0)
        message.state["status"] = news.value
        self.store.changed()
        webhook = self.webhooks.find(message.account, self.name)
        if webhook is not None:
            report = partial(self._report, message, news)
            self.post(news, mail, webhook, report, times=1 + fault.duplicate_receipts)
        if fate:
            delay = fault.receipt_delay_ms / 1000
            asyncio.get_running_loop().call_later(delay, self._tell, fate, mail, message, fault)

    def post(self, news: News, mail: Mail, webhook: Webhook, report: Report, *, times: int) -> None:
        address = webhook.address
        body, headers = self.told(news, mail, webhook)
        headers = {"Content-Type": "application/json", **address.headers, **headers}
        for _ in range(times):
            self.receipts.post(Post(address.url, body, headers, report))

    def _report(self, message: Message, news: News, outcome: int | str) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        message.state["webhooks"].append({"status": news.value, "answer": outcome, "at": at})
        self.store.changed()


def _content(mail: Mail, source: bytes) -> Content:
    data = {**mail.data, "metadata": mail.metadata}
    raw = source.decode("utf-8", "replace")
    return Content(raw, mail.subject, mail.text, mail.html, headers=mail.headers, data=data)


def bare(address: str) -> str:
    """`Ann <ann@example.com>` is to ann@example.com."""
    return address.rpartition("<")[2].rstrip("> ").strip() if "<" in address else address.strip()


def is_valid(address: str) -> bool:
    return ADDRESS.fullmatch(bare(address)) is not None


def json_of(text: Any) -> dict[str, str]:
    """Metadata in a header; what is no JSON object is none."""
    try:
        document = json.loads(text or "{}")
    except (TypeError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
