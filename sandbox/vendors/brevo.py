"""Brevo's v3 transactional mail: https://developers.brevo.com/reference/sendtransacemail"""

import time
from collections.abc import Iterable
from secrets import token_hex
from typing import Any

import orjson
from aiohttp import web

from sandbox.esp import EspVendor, Mail, News, is_valid, json_of
from sandbox.faults import Fault
from sandbox.http_vendor import RefusedError, json_response, retry_after
from sandbox.webhooks import Webhook

ROOT = "/brevo/v3"
MOST = 1000
EVENTS: dict[News, dict[str, str]] = {
    News.DELIVERED: {"event": "delivered"},
    News.DEFERRED: {"event": "deferred", "reason": "4.2.1 try again later"},
    News.BOUNCED: {"event": "hard_bounce", "reason": "550 5.1.1 The email account does not exist"},
    News.COMPLAINED: {"event": "spam"},
}


class BrevoVendor(EspVendor):
    """A fault's account name is the first eight characters of the key after `xkeysib-`."""

    name = "brevo"

    def routes(self) -> Iterable[web.RouteDef]:
        return (
            web.post(f"{ROOT}/smtp/email", self.guarded(self._send)),
            web.get(f"{ROOT}/account", self.guarded(self._account)),
        )

    def account(self, request: web.Request) -> str:
        key = request.headers.get("api-key", "")
        if not key:
            raise refused("unauthorized", "Key not found", 401)
        return key.removeprefix("xkeysib-")[:8]

    def failure(self, status: int, fault: Fault) -> web.Response:
        codes = {
            401: "unauthorized",
            402: "not_enough_credits",
            403: "permission_denied",
            429: "too_many_requests",
        }
        document = {"code": codes.get(status, "internal_error"), "message": "failed"}
        return json_response(document, status, retry_after(fault))

    async def _account(self, request: web.Request, fault: Fault) -> web.Response:
        return json_response({"email": "sandbox@carillon.test", "companyName": "sandbox"})

    async def _send(self, request: web.Request, fault: Fault) -> web.Response:
        source = await request.read()
        document = orjson.loads(source)
        versions = document.pop("messageVersions", None)
        mails = [mail_of({**document, **version}, fault) for version in versions or [{}]]
        if len(mails) > MOST:
            raise refused("invalid_parameter", f"messageVersions exceed {MOST}")
        self.keep(request, fault, mails, source)
        ids = [mail.id for mail in mails]
        return json_response({"messageIds": ids} if versions else {"messageId": ids[0]}, 201)

    def told(self, news: News, mail: Mail, webhook: Webhook) -> tuple[bytes, dict[str, str]]:
        now = time.time()
        event = {
            **EVENTS[news],
            "email": mail.to,
            "id": 1,
            "date": time.strftime("%Y-%m-%d %H:%M:%S"),
            "ts": int(now),
            "ts_event": int(now),
            "ts_epoch": int(now * 1000),
            "message-id": mail.id,
            "subject": mail.subject,
            "tags": mail.data["tags"],
            "X-Mailin-custom": mail.headers.get("X-Mailin-custom", ""),
        }
        return orjson.dumps(event), {}


def refused(code: str, message: str, status: int = 400) -> RefusedError:
    return RefusedError(json_response({"code": code, "message": message}, status))


def mail_of(document: dict[str, Any], fault: Fault) -> Mail:
    to = document["to"][0]["email"]
    if fault.reject or not is_valid(to):
        raise refused("invalid_parameter", "email is not valid in to")
    if not (document.get("htmlContent") or document.get("textContent")):
        raise refused("missing_parameter", "Either of htmlContent or textContent is required")
    headers = document.get("headers", {})
    return Mail(
        id=f"<{time.strftime('%Y%m%d%H%M')}.{token_hex(6)}@smtp-relay.sandbox.test>",
        to=to,
        sender=document["sender"]["email"],
        subject=document.get("subject", ""),
        text=document.get("textContent"),
        html=document.get("htmlContent"),
        metadata=json_of(headers.get("X-Mailin-custom")),
        headers=headers,
        data={
            "tags": document.get("tags", []),
            "cc": document.get("cc"),
            "attachments": [file["name"] for file in document.get("attachment", [])],
        },
    )
