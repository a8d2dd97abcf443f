"""Resend: https://resend.com/docs/api-reference/emails/send-email"""

from collections.abc import Iterable
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any
from uuid import uuid4

import orjson
from aiohttp import web
from standardwebhooks import Webhook as Signature

from sandbox.esp import EspVendor, Mail, News, bare, is_valid, json_of
from sandbox.faults import Fault
from sandbox.http_vendor import RefusedError, json_response, retry_after
from sandbox.webhooks import Webhook

ROOT = "/resend"
MOST = 100
EVENTS: dict[News, tuple[str, dict[str, Any]]] = {
    News.DELIVERED: ("email.delivered", {}),
    News.DEFERRED: ("email.delivery_delayed", {}),
    News.BOUNCED: (
        "email.bounced",
        {
            "bounce": {
                "message": "The recipient's email provider sent a hard bounce message.",
                "type": "Permanent",
                "subType": "General",
            }
        },
    ),
    News.COMPLAINED: ("email.complained", {}),
}
ERRORS = {
    401: "missing_api_key",
    403: "invalid_api_key",
    429: "rate_limit_exceeded",
    503: "application_error",
}


class ResendVendor(EspVendor):
    """A fault's account name is the first eight characters of the key after `re_`."""

    name = "resend"

    def routes(self) -> Iterable[web.RouteDef]:
        return (
            web.post(f"{ROOT}/emails", self.guarded(self._one)),
            web.post(f"{ROOT}/emails/batch", self.guarded(self._many)),
            web.get(f"{ROOT}/domains", self.guarded(self._domains)),
        )

    def account(self, request: web.Request) -> str:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not key:
            raise refused("missing_api_key", "Missing API key in the authorization header.", 401)
        return key.removeprefix("re_")[:8]

    def failure(self, status: int, fault: Fault) -> web.Response:
        document = {
            "statusCode": status,
            "name": ERRORS.get(status, "application_error"),
            "message": "failed",
        }
        return json_response(document, status, retry_after(fault))

    async def _domains(self, request: web.Request, fault: Fault) -> web.Response:
        return json_response({"object": "list", "data": []})

    async def _one(self, request: web.Request, fault: Fault) -> web.Response:
        source = await request.read()
        mail = mail_of(orjson.loads(source), fault)
        self.keep(request, fault, [mail], source)
        return json_response({"id": mail.id})

    async def _many(self, request: web.Request, fault: Fault) -> web.Response:
        """In strict mode: one that is not valid, and none is sent."""
        source = await request.read()
        documents = orjson.loads(source)
        if len(documents) > MOST:
            raise refused("validation_error", f"The batch may hold {MOST} emails")
        if any(document.get("attachments") for document in documents):
            raise refused("validation_error", "The `attachments` field is not supported in batches")
        mails = [mail_of(document, fault) for document in documents]
        self.keep(request, fault, mails, source)
        return json_response({"data": [{"id": mail.id} for mail in mails]})

    def told(self, news: News, mail: Mail, webhook: Webhook) -> tuple[bytes, dict[str, str]]:
        kind, more = EVENTS[news]
        now = datetime.now(UTC)
        headers = [{"name": name, "value": value} for name, value in mail.headers.items()]
        data = {
            "email_id": mail.id,
            "to": [mail.to],
            "from": mail.sender,
            "subject": mail.subject,
            "headers": headers,
            **more,
        }
        body = orjson.dumps({"type": kind, "created_at": now.isoformat(), "data": data})
        id = f"msg_{token_hex(12)}"
        return body, {
            "svix-id": id,
            "svix-timestamp": str(int(now.timestamp())),
            "svix-signature": Signature(webhook.secret).sign(id, now, body.decode()),
        }


def refused(name: str, message: str, status: int = 422) -> RefusedError:
    """https://resend.com/docs/api-reference/errors"""
    return RefusedError(json_response({"statusCode": status, "name": name, "message": message}, status))


def mail_of(document: dict[str, Any], fault: Fault) -> Mail:
    to = document["to"][0]
    if fault.reject or not is_valid(to):
        raise refused("validation_error", "Invalid `to` field. The email address needs to follow the format.")
    headers = document.get("headers", {})
    return Mail(
        id=str(uuid4()),
        to=bare(to),
        sender=document["from"],
        subject=document.get("subject", ""),
        text=document.get("text"),
        html=document.get("html"),
        metadata=json_of(headers.get("X-Metadata")),
        headers=headers,
        data={
            "cc": document.get("cc"),
            "reply_to": document.get("reply_to"),
            "attachments": [file["filename"] for file in document.get("attachments", [])],
        },
    )
