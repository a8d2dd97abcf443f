"""Postmark: https://postmarkapp.com/developer/api/email-api"""

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import uuid4

import orjson
from aiohttp import web

from sandbox.esp import EspVendor, Mail, News, bare, is_valid
from sandbox.faults import Fault
from sandbox.http_vendor import RefusedError, json_response, retry_after
from sandbox.webhooks import Webhook

ROOT = "/postmark"
MOST = 500
EVENTS: dict[News, dict[str, Any]] = {
    News.DELIVERED: {"RecordType": "Delivery", "Details": "Test delivery webhook details"},
    News.DEFERRED: {
        "RecordType": "Bounce",
        "Type": "Transient",
        "TypeCode": 2,
        "Name": "Message delayed",
        "Details": "4.2.1 try again later",
        "Inactive": False,
    },
    News.BOUNCED: {
        "RecordType": "Bounce",
        "Type": "HardBounce",
        "TypeCode": 1,
        "Name": "Hard bounce",
        "Details": "550 5.1.1 The email account does not exist",
        "Inactive": True,
    },
    News.COMPLAINED: {
        "RecordType": "SpamComplaint",
        "Type": "SpamComplaint",
        "TypeCode": 512,
        "Name": "Spam complaint",
        "Inactive": True,
    },
}
_bounces = count(42)


class PostmarkVendor(EspVendor):
    """A fault's account name is the first eight characters of the server token."""

    name = "postmark"

    def routes(self) -> Iterable[web.RouteDef]:
        return (
            web.post(f"{ROOT}/email", self.guarded(self._one)),
            web.post(f"{ROOT}/email/batch", self.guarded(self._many)),
            web.get(f"{ROOT}/server", self.guarded(self._server)),
        )

    def account(self, request: web.Request) -> str:
        token = request.headers.get("X-Postmark-Server-Token", "")
        if not token:
            raise RefusedError(
                json_response(error(10, "No Account or Server API tokens were supplied."), 401)
            )
        return token[:8]

    def failure(self, status: int, fault: Fault) -> web.Response:
        codes = {
            401: (10, "Bad or missing API token"),
            429: (429, "Rate limit exceeded"),
            503: (100, "Maintenance"),
        }
        return json_response(error(*codes.get(status, (500, "failed"))), status, retry_after(fault))

    async def _server(self, request: web.Request, fault: Fault) -> web.Response:
        return json_response({"ID": 1, "Name": "sandbox"})

    async def _one(self, request: web.Request, fault: Fault) -> web.Response:
        source = await request.read()
        result = self._take(request, orjson.loads(source), source, fault)
        return json_response(result, 422 if result["ErrorCode"] else 200)

    async def _many(self, request: web.Request, fault: Fault) -> web.Response:
        source = await request.read()
        documents = orjson.loads(source)
        if len(documents) > MOST:
            return json_response(error(410, "Too many batch messages"), 422)
        return json_response([self._take(request, each, orjson.dumps(each), fault) for each in documents])

    def _take(self, request: web.Request, document: Any, source: bytes, fault: Fault) -> dict[str, Any]:
        to = document.get("To", "")
        if fault.reject or not is_valid(to):
            return error(300, f"Invalid 'To' address: '{to}'.")
        if not (document.get("TextBody") or document.get("HtmlBody")):
            return error(300, "Provide either email TextBody or HtmlBody or both.")
        mail = mail_of(document)
        self.keep(request, fault, [mail], source)
        at = datetime.now(UTC).isoformat()
        return {"ErrorCode": 0, "Message": "OK", "MessageID": mail.id, "SubmittedAt": at, "To": to}

    def told(self, news: News, mail: Mail, webhook: Webhook) -> tuple[bytes, dict[str, str]]:
        now = datetime.now(UTC).isoformat()
        event = {**EVENTS[news], "MessageID": mail.id, "Metadata": mail.metadata, "Tag": mail.data["tag"]}
        if news is News.DELIVERED:
            event |= {"Recipient": mail.to, "DeliveredAt": now}
        else:
            event |= {"ID": next(_bounces), "Email": mail.to, "BouncedAt": now}
        return orjson.dumps(event), {}


def error(code: int, message: str) -> dict[str, Any]:
    """https://postmarkapp.com/developer/api/overview#error-codes"""
    return {"ErrorCode": code, "Message": message}


def mail_of(document: dict[str, Any]) -> Mail:
    return Mail(
        id=str(uuid4()),
        to=bare(document["To"]),
        sender=document["From"],
        subject=document.get("Subject", ""),
        text=document.get("TextBody"),
        html=document.get("HtmlBody"),
        metadata=document.get("Metadata", {}),
        headers={header["Name"]: header["Value"] for header in document.get("Headers", [])},
        data={
            "tag": document.get("Tag", ""),
            "cc": document.get("Cc"),
            "stream": document.get("MessageStream"),
            "attachments": [file["Name"] for file in document.get("Attachments", [])],
        },
    )
