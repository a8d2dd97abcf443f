"""WhatsApp by Meta's Cloud API: one number's messages, their statuses, and what people write to it.

Messages: https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/send-messages
Numbers:
https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/phone-numbers
"""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial

from aiohttp import web
from pydantic import ValidationError

from sandbox import magic, meta_webhooks
from sandbox.faults import Fault
from sandbox.http_vendor import HttpVendor, RefusedError, json_response, retry_after, shown
from sandbox.meta_messages import Document, content, error, parse, refuse_if_invalid
from sandbox.meta_webhooks import Reply, display_number, status, wamid
from sandbox.store import Message
from sandbox.vendor import Counter
from sandbox.windows import Windows

ROOT = r"/meta/{version:v\d+\.\d+}/{number}"
SENT_AFTER_S = 0.05
NO_WHATSAPP, OUTSIDE_WINDOW = 131026, 131047
FAILURES = {401: 190, 403: 10, 404: 132001, 429: 130429, 503: 2}
"""Meta's code for a fault's HTTP status: 404 is how it says that it has no such template."""

Step = tuple[str, int | None]
"""A status, and the code of the error that led to it."""


class MetaVendor(HttpVendor):
    """A fault's and a webhook's account name is the phone number ID. Any token will do but an empty one."""

    name = "meta"
    channel = "whatsapp"

    def __init__(self, counter: Counter) -> None:
        super().__init__(counter)
        self._windows = Windows()

    def routes(self) -> Iterable[web.RouteDef]:
        return (
            web.post(f"{ROOT}/messages", self.guarded(self._send)),
            web.get(ROOT, self.guarded(self._number)),
            web.post("/meta/{number}/replies", self._reply),
        )

    def account(self, request: web.Request) -> str:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            raise RefusedError(error(401, 190))
        return request.match_info["number"]

    def failure(self, status: int, fault: Fault) -> web.Response:
        code = FAILURES.get(status, 131000 if status >= 500 else 100)
        return error(status, code, headers=retry_after(fault))

    async def _number(self, request: web.Request, fault: Fault) -> web.Response:
        id = request.match_info["number"]
        about = {"display_phone_number": f"+{display_number(id)}", "quality_rating": "GREEN"}
        return json_response({"id": id, "verified_name": "Carillon sandbox", **about})

    async def _send(self, request: web.Request, fault: Fault) -> web.Response:
        source = await request.text()
        document = parse(source)
        refuse_if_invalid(document, fault)
        message = self._kept(source, document, request)
        if fault.receipt != "none":
            self._begin(message, str(document.get("biz_opaque_callback_data") or ""), document, fault)
        person = [{"input": document["to"], "wa_id": message.to.removeprefix("+")}]
        sent = {"id": message.key} | ({"message_status": "accepted"} if "template" in document else {})
        return json_response({"messaging_product": "whatsapp", "contacts": person, "messages": [sent]})

    def _kept(self, source: str, document: Document, request: web.Request) -> Message:
        number, message_id = request.match_info["number"], wamid()
        message = Message(
            channel=self.channel,
            provider=self.name,
            account=number,
            to=f"+{str(document['to']).removeprefix('+')}",
            sender=f"+{display_number(number)}",
            size=len(source),
            parse=partial(content, source, shown(request.headers)),
            state={"id": message_id, "status": "accepted", "error_code": None, "callbacks": []},
            key=message_id,
        )
        self.store.add(message)
        return message

    def _begin(self, message: Message, reference: str, document: Document, fault: Fault) -> None:
        """Statuses overtake each other here as they do at Meta."""
        steps = course(message.to, fault, may_write=self._may_write(message, document))
        final = fault.receipt_delay_ms / 1000
        delays = [min(SENT_AFTER_S, final), final, final + SENT_AFTER_S] if len(steps) > 1 else [final]
        for delay, step in zip(delays, steps, strict=False):
            become = partial(self._become, message, reference, step, 1 + fault.duplicate_receipts)
            asyncio.get_running_loop().call_later(delay, become)

    def _may_write(self, message: Message, document: Document) -> bool:
        return "template" in document or self._windows.is_open(message.account, message.to)

    def _become(self, message: Message, reference: str, step: Step, times: int) -> None:
        word, code = step
        message.state |= {"status": word, "error_code": code}
        self.store.changed()
        webhook = self.webhooks.find(message.account, self.name)
        if webhook is None:
            return
        value = status(str(message.key), message.to, word, code, reference)
        for _ in range(times):
            report = partial(self._report, message, word)
            self.receipts.post(meta_webhooks.post(message.account, value, webhook, report))

    def _report(self, message: Message, word: str, outcome: int | str) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        message.state["callbacks"].append({"status": word, "answer": outcome, "at": at})
        self.store.changed()

    async def _reply(self, request: web.Request) -> web.Response:
        """Somebody writes to the number. For tests and tours."""
        number = request.match_info["number"]
        try:
            reply = Reply.model_validate_json(await request.read())
        except ValidationError as wrong:
            return json_response({"error": str(wrong)}, 422)
        self._windows.opened(number, reply.sender)
        webhook = self.webhooks.find(number, self.name)
        if webhook is None:
            return json_response({"error": "the number has no webhook"}, 409)
        self.receipts.post(meta_webhooks.post(number, reply.value(), webhook, lambda outcome: None))
        return web.Response(status=204)


def course(to: str, fault: Fault, *, may_write: bool) -> list[Step]:
    """The statuses to come. Meta takes what it cannot deliver, and says so later."""
    if magic.phone_fate(to) is magic.Fate.INCAPABLE:
        return [("failed", NO_WHATSAPP)]
    if not may_write:
        return [("failed", OUTSIDE_WINDOW)]
    if fault.receipt == "failed":
        return [("sent", None), ("failed", NO_WHATSAPP)]
    read: list[Step] = [("read", None)] if fault.receipt == "read" else []
    return [("sent", None), ("delivered", None), *read]
