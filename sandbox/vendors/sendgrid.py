"""SendGrid's v3 Mail Send: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send

Its event webhook signs with ECDSA; the key here is made from the webhook's secret, so that the public half
that the application is to be told is always the same: `public_key`.
"""

import hashlib
import time
from base64 import b64encode
from collections.abc import Iterable
from secrets import token_hex
from typing import Any

import orjson
from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sandbox.esp import EspVendor, Mail, News, is_valid
from sandbox.faults import Fault
from sandbox.http_vendor import RefusedError, json_response, retry_after
from sandbox.webhooks import Webhook

ROOT = "/sendgrid/v3"
MOST, MOST_SUBSTITUTED = 1000, 10_000
EVENTS: dict[News, dict[str, str]] = {
    News.DELIVERED: {"event": "delivered", "response": "250 OK"},
    News.DEFERRED: {"event": "deferred", "response": "400 try again later", "attempt": "5"},
    News.BOUNCED: {
        "event": "bounce",
        "type": "bounce",
        "status": "5.1.1",
        "reason": "550 5.1.1 The email account that you tried to reach does not exist",
    },
    News.COMPLAINED: {"event": "spamreport"},
}


class SendGridVendor(EspVendor):
    """A fault's account name is the second part of the key: `SG.<name>.<secret>`."""

    name = "sendgrid"

    def routes(self) -> Iterable[web.RouteDef]:
        return (
            web.post(f"{ROOT}/mail/send", self.guarded(self._send)),
            web.get(f"{ROOT}/scopes", self.guarded(self._scopes)),
        )

    def account(self, request: web.Request) -> str:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not key:
            raise refused("The provided authorization grant is invalid, expired, or revoked", status=401)
        return key.split(".")[1] if key.count(".") >= 2 else key[:8]

    def failure(self, status: int, fault: Fault) -> web.Response:
        words = {
            401: "The provided authorization grant is invalid, expired, or revoked",
            429: "too many requests",
        }
        document = {"errors": [{"field": None, "message": words.get(status, "failed"), "help": None}]}
        return json_response(document, status, retry_after(fault))

    async def _scopes(self, request: web.Request, fault: Fault) -> web.Response:
        return json_response({"scopes": ["mail.send"]})

    async def _send(self, request: web.Request, fault: Fault) -> web.Response:
        source = await request.read()
        document = orjson.loads(source)
        refuse_if_invalid(document, fault)
        mails = [mail_of(document, place) for place in document["personalizations"]]
        self.keep(request, fault, mails, source)
        return web.Response(status=202, headers={"X-Message-Id": token_hex(11)})

    def told(self, news: News, mail: Mail, webhook: Webhook) -> tuple[bytes, dict[str, str]]:
        now = str(int(time.time()))
        event = {
            **mail.metadata,
            **EVENTS[news],
            "email": mail.to,
            "timestamp": int(now),
            "sg_event_id": token_hex(16),
            "sg_message_id": mail.id,
        }
        body = orjson.dumps([event])
        signature = private_key(webhook.secret).sign(now.encode() + body, ec.ECDSA(hashes.SHA256()))
        return body, {
            "X-Twilio-Email-Event-Webhook-Signature": b64encode(signature).decode(),
            "X-Twilio-Email-Event-Webhook-Timestamp": now,
        }


def private_key(secret: str) -> ec.EllipticCurvePrivateKey:
    number = int.from_bytes(hashlib.sha256(secret.encode()).digest()) >> 1
    return ec.derive_private_key(number, ec.SECP256R1())


def public_key(secret: str) -> str:
    """As SendGrid's dashboard shows it, to be copied into the application's settings."""
    kind, shape = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return b64encode(private_key(secret).public_key().public_bytes(kind, shape)).decode()


def refused(message: str, field: str | None = None, status: int = 400) -> RefusedError:
    """https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors"""
    error = {"message": message, "field": field, "help": None}
    return RefusedError(json_response({"errors": [error]}, status))


def refuse_if_invalid(document: dict[str, Any], fault: Fault) -> None:
    places = document.get("personalizations") or []
    if not 1 <= len(places) <= MOST:
        raise refused(f"The personalization block is limited to {MOST} personalizations", "personalizations")
    if not all(part.get("value") for part in document.get("content") or [{}]):
        raise refused(
            "The content value must be a string at least one character in length.", "content.0.value"
        )
    to = [place["to"][0]["email"] for place in places]
    if len(set(to)) < len(to):
        raise refused("Each unique email address in the personalizations array should only be included once.")
    for number, place in enumerate(places):
        if fault.reject or not is_valid(to[number]):
            raise refused("Does not contain a valid address.", f"personalizations.{number}.to.0.email")
        if len(orjson.dumps(place.get("substitutions", {}))) > MOST_SUBSTITUTED:
            raise refused("substitutions exceed 10000 bytes", f"personalizations.{number}.substitutions")


def mail_of(document: dict[str, Any], place: dict[str, Any]) -> Mail:
    def said(text: str | None) -> str | None:
        for tag, value in place.get("substitutions", {}).items():
            text = text and text.replace(tag, value)
        return text

    content = {part["type"]: part["value"] for part in document["content"]}
    attachments = [file["filename"] for file in document.get("attachments", [])]
    return Mail(
        id=token_hex(11),
        to=place["to"][0]["email"],
        sender=document["from"]["email"],
        subject=said(document.get("subject")) or "",
        text=said(content.get("text/plain")),
        html=said(content.get("text/html")),
        metadata={**document.get("custom_args", {}), **place.get("custom_args", {})},
        headers={**document.get("headers", {}), **place.get("headers", {})},
        data={
            "categories": document.get("categories", []),
            "cc": place.get("cc"),
            "attachments": attachments,
        },
    )
