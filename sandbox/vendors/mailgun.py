"""Mailgun's v3 messages: https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages"""

import hashlib
import hmac
import json
import time
from base64 import b64decode
from collections.abc import Iterable
from secrets import token_hex
from typing import Any

import orjson
from aiohttp import web
from multidict import MultiDictProxy

from sandbox.esp import EspVendor, Mail, News, bare, is_valid
from sandbox.faults import Fault
from sandbox.http_vendor import RefusedError, json_response, retry_after
from sandbox.webhooks import Webhook

ROOT = "/mailgun/v3"
MOST = 1000
EVENTS: dict[News, dict[str, Any]] = {
    News.DELIVERED: {"event": "delivered", "delivery-status": {"code": 250, "message": "OK"}},
    News.DEFERRED: {
        "event": "failed",
        "severity": "temporary",
        "reason": "generic",
        "delivery-status": {"code": 451, "message": "4.2.1 try again later"},
    },
    News.BOUNCED: {
        "event": "failed",
        "severity": "permanent",
        "reason": "bounce",
        "delivery-status": {"code": 550, "message": "5.1.1 The email account does not exist"},
    },
    News.COMPLAINED: {"event": "complained"},
}

Form = MultiDictProxy[Any]


class MailgunVendor(EspVendor):
    """A fault's account name is the domain."""

    name = "mailgun"

    def routes(self) -> Iterable[web.RouteDef]:
        return (
            web.post(f"{ROOT}/{{domain}}/messages", self.guarded(self._send)),
            web.get(f"{ROOT}/domains/{{domain}}", self.guarded(self._domain)),
        )

    def account(self, request: web.Request) -> str:
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Basic" or not b64decode(credentials).startswith(b"api:"):
            raise RefusedError(web.Response(status=401, text="Forbidden"))
        return request.match_info["domain"]

    def failure(self, status: int, fault: Fault) -> web.Response:
        if status == 401:
            return web.Response(status=401, text="Forbidden")
        return json_response({"message": "failed"}, status, retry_after(fault))

    async def _domain(self, request: web.Request, fault: Fault) -> web.Response:
        return json_response({"domain": {"name": request.match_info["domain"], "state": "active"}})

    async def _send(self, request: web.Request, fault: Fault) -> web.Response:
        form = await request.post()
        source = orjson.dumps([[name, said] for name, said in form.items() if isinstance(said, str)])
        refuse_if_invalid(form, fault)
        id = f"<{time.strftime('%Y%m%d%H%M%S')}.{token_hex(8)}@{request.match_info['domain']}>"
        variables = json.loads(str(form.get("recipient-variables") or "{}"))
        recipients = [str(to) for to in form.getall("to")]
        mails = [mail_of(form, to, variables.get(bare(to)), id) for to in recipients]
        self.keep(request, fault, mails, source)
        return json_response({"id": id, "message": "Queued. Thank you."})

    def told(self, news: News, mail: Mail, webhook: Webhook) -> tuple[bytes, dict[str, str]]:
        """https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks"""
        now, token = str(int(time.time())), token_hex(25)
        signature = hmac.new(webhook.secret.encode(), f"{now}{token}".encode(), hashlib.sha256).hexdigest()
        event = {
            "id": token_hex(11),
            "timestamp": time.time(),
            "recipient": mail.to,
            "message": {
                "headers": {"message-id": mail.id.strip("<>"), "to": mail.to, "subject": mail.subject}
            },
            "user-variables": mail.metadata,
            "tags": mail.data["tags"],
            **EVENTS[news],
        }
        signed = {"timestamp": now, "token": token, "signature": signature}
        return orjson.dumps({"signature": signed, "event-data": event}), {}


def refused(message: str) -> RefusedError:
    return RefusedError(json_response({"message": message}, 400))


def refuse_if_invalid(form: Form, fault: Fault) -> None:
    to = form.getall("to", [])
    rules = (
        (to, "to parameter is missing"),
        (form.get("from"), "from parameter is missing"),
        (form.get("text") or form.get("html"), "Need at least one of 'text' or 'html' parameters specified"),
        (len(to) <= MOST, f"Too many recipients; max is {MOST}"),
        (
            not fault.reject and all(map(is_valid, to)),
            "to parameter is not a valid address. please check documentation",
        ),
    )
    for kept, message in rules:
        if not kept:
            raise refused(message)


def mail_of(form: Form, to: str, own: dict[str, str] | None, id: str) -> Mail:
    """With its own words, in a batch; otherwise `%recipient.name%` stays as it is."""

    def said(field: str) -> str | None:
        text: str | None = form.get(field)
        for name, value in (own or {}).items():
            text = text and text.replace(f"%recipient.{name}%", value)
        return text

    files = [file.filename for field in ("attachment", "inline") for file in form.getall(field, [])]
    return Mail(
        id=id,
        to=bare(to),
        sender=form["from"],
        subject=said("subject") or "",
        text=said("text"),
        html=said("html"),
        metadata={field[2:]: said(field) or "" for field in form if field.startswith("v:")},
        headers={field[2:]: said(field) or "" for field in form if field.startswith("h:")},
        data={"tags": form.getall("o:tag", []), "cc": form.getall("cc", []), "attachments": files},
    )
