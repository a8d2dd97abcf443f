"""Amazon SES, API v2: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html

It takes every signature. A configuration set's events it publishes to a topic, whose subscriber, asked first
whether it wants to be one, is the account's webhook.
"""

import re
from base64 import b64decode
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any
from uuid import uuid4

import orjson
from aiohttp import web

from sandbox import mime
from sandbox.esp import EspVendor, Mail, News, Report, bare, is_valid, json_of
from sandbox.faults import Fault
from sandbox.http_vendor import RefusedError, json_response, retry_after
from sandbox.sns_topic import Topic
from sandbox.vendor import Counter
from sandbox.webhooks import Webhook

HOME = "/ses"
ROOT = f"{HOME}/v2/email"
MOST = 50
CREDENTIAL = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/]+)/")
ERRORS = {
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    429: "TooManyRequestsException",
    503: "ServiceUnavailable",
}


class AmazonSesVendor(EspVendor):
    """A fault's account name is the access key's id."""

    name = "amazon_ses"

    def __init__(self, counter: Counter) -> None:
        super().__init__(counter)
        self._topic = Topic(self.receipts)
        self._home = HOME

    def routes(self) -> Iterable[web.RouteDef]:
        return (
            web.post(f"{ROOT}/outbound-emails", self.guarded(self._one)),
            web.post(f"{ROOT}/outbound-bulk-emails", self.guarded(self._many)),
            web.get(f"{ROOT}/account", self.guarded(self._account)),
            *self._topic.routes(HOME),
        )

    def account(self, request: web.Request) -> str:
        signed = CREDENTIAL.match(request.headers.get("Authorization", ""))
        if signed is None:
            raise refused("MissingAuthenticationTokenException", "Missing Authentication Token", 403)
        return signed[1]

    def failure(self, status: int, fault: Fault) -> web.Response:
        headers = {"x-amzn-ErrorType": ERRORS.get(status, "InternalFailure"), **retry_after(fault)}
        return json_response({"message": "failed"}, status, headers)

    async def _account(self, request: web.Request, fault: Fault) -> web.Response:
        return json_response({"SendingEnabled": True, "ProductionAccessEnabled": True})

    async def _one(self, request: web.Request, fault: Fault) -> web.Response:
        source = await request.read()
        document = orjson.loads(source)
        to = document["Destination"]["ToAddresses"][0]
        if fault.reject or not is_valid(to):
            raise refused("BadRequestException", "Missing final '@domain'")
        mail = raw_mail(to, b64decode(document["Content"]["Raw"]["Data"]))
        self.keep(request, fault, [mail], source)
        return json_response({"MessageId": mail.id})

    async def _many(self, request: web.Request, fault: Fault) -> web.Response:
        source = await request.read()
        document = orjson.loads(source)
        entries = document["BulkEmailEntries"]
        if len(entries) > MOST:
            raise refused("BadRequestException", f"Recipient count exceeds {MOST}.")
        results = [self._entry(request, document, entry, fault) for entry in entries]
        return json_response({"BulkEmailEntryResults": results})

    def _entry(self, request: web.Request, document: Any, entry: Any, fault: Fault) -> dict[str, str]:
        if fault.reject or not is_valid(entry["Destination"]["ToAddresses"][0]):
            return {"Status": "INVALID_PARAMETER", "Error": "Missing final '@domain'"}
        mail = templated_mail(document, entry)
        self.keep(request, fault, [mail], orjson.dumps(entry))
        return {"Status": "SUCCESS", "MessageId": mail.id}

    def keep(self, request: web.Request, fault: Fault, mails: Sequence[Mail], source: bytes) -> None:
        self._home = f"{request.url.origin()}{HOME}"
        super().keep(request, fault, mails, source)

    def post(self, news: News, mail: Mail, webhook: Webhook, report: Report, *, times: int) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        said = orjson.dumps(event(news, mail, now)).decode()
        self._topic.publish(said, webhook, self._home, report, times=times)


def event(news: News, mail: Mail, now: str) -> dict[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html"""
    about = {
        "timestamp": now,
        "messageId": mail.id,
        "destination": [mail.to],
        "headers": [{"name": name, "value": value} for name, value in mail.headers.items()],
    }
    match news:
        case News.DELIVERED:
            delivery = {"timestamp": now, "recipients": [mail.to], "smtpResponse": "250 OK"}
            return {"eventType": "Delivery", "mail": about, "delivery": delivery}
        case News.COMPLAINED:
            complaint = {"complainedRecipients": [{"emailAddress": mail.to}], "timestamp": now}
            return {"eventType": "Complaint", "mail": about, "complaint": complaint}
        case News.DEFERRED:
            delay = {"delayType": "MailboxFull", "delayedRecipients": [{"emailAddress": mail.to}]}
            return {"eventType": "DeliveryDelay", "mail": about, "deliveryDelay": delay}
    words = "smtp; 550 5.1.1 The email account does not exist"
    bounced = {"emailAddress": mail.to, "status": "5.1.1", "action": "failed", "diagnosticCode": words}
    bounce = {"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": [bounced]}
    return {"eventType": "Bounce", "mail": about, "bounce": {**bounce, "timestamp": now}}


def refused(code: str, message: str, status: int = 400) -> RefusedError:
    return RefusedError(json_response({"message": message}, status, {"x-amzn-ErrorType": code}))


def message_id() -> str:
    return f"{token_hex(8)}-{uuid4()}-000000"


def raw_mail(to: str, source: bytes) -> Mail:
    read = mime.parse(source, {})
    return Mail(
        id=message_id(),
        to=bare(to),
        sender=read.headers.get("From", ""),
        subject=read.subject or "",
        text=read.text,
        html=read.html,
        metadata=json_of(read.headers.get("X-Metadata")),
        headers=read.headers,
        data={"attachments": [file["name"] for file in read.data.get("attachments", [])]},
    )


def templated_mail(document: dict[str, Any], entry: dict[str, Any]) -> Mail:
    """Handlebars, as far as they are asked for: https://docs.aws.amazon.com/ses/latest/dg/send-personalized-email-api.html"""
    template = document["DefaultContent"]["Template"]
    own = entry["ReplacementEmailContent"]["ReplacementTemplate"]["ReplacementTemplateData"]
    values = {**orjson.loads(template.get("TemplateData") or "{}"), **orjson.loads(own)}

    def said(part: str) -> str | None:
        text: str | None = template["TemplateContent"].get(part)
        return text and re.sub(r"\{\{(\w+)\}\}", lambda found: values[found[1]], text)

    headers = {header["Name"]: header["Value"] for header in entry.get("ReplacementHeaders", [])}
    return Mail(
        id=message_id(),
        to=bare(entry["Destination"]["ToAddresses"][0]),
        sender=document["FromEmailAddress"],
        subject=said("Subject") or "",
        text=said("Text"),
        html=said("Html"),
        metadata=json_of(headers.get("X-Metadata")),
        headers=headers,
        data={"reply_to": document.get("ReplyToAddresses")},
    )
