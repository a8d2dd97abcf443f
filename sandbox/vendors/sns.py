"""Amazon SNS, publishing to phone numbers: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html

It takes every signature. A fault's account name is the access key's id. What CloudWatch would be told it
publishes to a topic, whose subscriber, asked first whether it wants to be one, is the account's webhook.
"""

import asyncio
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

import orjson
from aiohttp import web

from sandbox import magic
from sandbox.faults import Fault
from sandbox.http_vendor import HttpVendor, RefusedError, json_response, retry_after, shown
from sandbox.segments import segments
from sandbox.sns_topic import Topic, error, result
from sandbox.store import Content, Message
from sandbox.vendor import Counter

ROOT = "/sns"
CREDENTIAL = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/]+)/\d{8}/[a-z0-9-]+/sns/aws4_request,")
PHONE_NUMBER = re.compile(r"\+[1-9]\d{6,14}")
MOST_CHARACTERS = 1600
ERRORS = {
    401: "InvalidClientTokenId",
    403: "AuthorizationError",
    429: "Throttled",
    503: "ServiceUnavailable",
}

Form = dict[str, str]


class SnsVendor(HttpVendor):
    name = "sns"
    channel = "sms"

    def __init__(self, counter: Counter) -> None:
        super().__init__(counter)
        self._topic = Topic(self.receipts)

    def routes(self) -> Iterable[web.RouteDef]:
        return (
            web.post(f"{ROOT}/", self.guarded(self._act)),
            *self._topic.routes(ROOT),
            web.post(f"{ROOT}/{{account}}/replies", self._reply),
        )

    def account(self, request: web.Request) -> str:
        signed = CREDENTIAL.match(request.headers.get("Authorization", ""))
        if signed is None:
            raise refused("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
        return signed[1]

    def failure(self, status: int, fault: Fault) -> web.Response:
        code = ERRORS.get(status, "InternalError" if status >= 500 else "InvalidParameter")
        return error(code, "failed", status, retry_after(fault))

    async def _act(self, request: web.Request, fault: Fault) -> web.Response:
        source = await request.text()
        fields = dict(parse_qsl(source, keep_blank_values=True))
        match fields.get("Action"):
            case "Publish":
                return self._publish(request, source, fields, fault)
            case "GetSMSAttributes":
                return result("GetSMSAttributes", "<attributes></attributes>")
        raise refused("InvalidAction", "The action is not valid for this endpoint.")

    def _publish(self, request: web.Request, source: str, fields: Form, fault: Fault) -> web.Response:
        refuse_if_invalid(fields, fault)
        message = self._kept(request, source, fields)
        if fault.receipt != "none":
            home = f"{request.url.origin()}{ROOT}"
            told = orjson.dumps(report(message, fault)).decode()
            later = fault.receipt_delay_ms / 1000
            asyncio.get_running_loop().call_later(later, self._tell, told, message, home, fault)
        return result("Publish", f"<MessageId>{message.key}</MessageId>")

    def _kept(self, request: web.Request, source: str, fields: Form) -> Message:
        message_id, said = str(uuid4()), attributes(fields)
        message = Message(
            channel=self.channel,
            provider=self.name,
            account=self.account(request),
            to=fields["PhoneNumber"],
            sender=said.get("AWS.SNS.SMS.SenderID") or said.get("AWS.MM.SMS.OriginationNumber") or "NOTICE",
            size=len(source),
            parse=partial(content, source, fields, shown(request.headers)),
            state={"id": message_id, "status": "accepted", "webhooks": []},
            key=message_id,
        )
        self.store.add(message)
        return message

    def _tell(self, told: str, message: Message, home: str, fault: Fault) -> None:
        message.state["status"] = orjson.loads(told)["status"]
        self.store.changed()
        webhook = self.webhooks.find(message.account, self.name)
        if webhook is not None:
            report = partial(self._answered, message)
            self._topic.publish(told, webhook, home, report, times=1 + fault.duplicate_receipts)

    def _answered(self, message: Message, outcome: int | str) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        message.state["webhooks"].append({"answer": outcome, "at": at})
        self.store.changed()

    async def _reply(self, request: web.Request) -> web.Response:
        """`{"from", "to", "text"}`: somebody answers a number of the account's. For tests and tours."""
        said, account = await request.json(), request.match_info["account"]
        webhook = self.webhooks.find(account, self.name)
        if webhook is None:
            return json_response({"error": "the account has no webhook"}, 409)
        home = f"{request.url.origin()}{ROOT}"
        self._topic.publish(orjson.dumps(inbound(said)).decode(), webhook, home, lambda outcome: None)
        return web.Response(status=204)


def refuse_if_invalid(fields: Form, fault: Fault) -> None:
    to, text = fields.get("PhoneNumber", ""), fields.get("Message", "")
    if fault.reject or magic.phone_fate(to) is not magic.Fate.OK or not PHONE_NUMBER.fullmatch(to):
        raise refused(
            "InvalidParameter", f"Invalid parameter: PhoneNumber Reason: {to} is not valid to publish to"
        )
    if not text or len(text) > MOST_CHARACTERS:
        raise refused("InvalidParameter", "Invalid parameter: Message Reason: empty or too long")


def attributes(fields: Form) -> Form:
    """Of `MessageAttributes.entry.N.Name` and `.Value.StringValue`."""
    names = {key.rpartition(".")[0]: name for key, name in fields.items() if key.endswith(".Name")}
    return {name: fields.get(f"{entry}.Value.StringValue", "") for entry, name in names.items()}


def content(source: str, fields: Form, headers: Form) -> Content:
    text = fields["Message"]
    data = {"attributes": attributes(fields), "num_segments": segments(text)}
    return Content(raw=source, text=text, headers=headers, data=data)


def report(message: Message, fault: Fault) -> dict[str, Any]:
    """https://docs.aws.amazon.com/sns/latest/dg/sms_stats_cloudwatch.html"""
    failed = fault.receipt == "failed"
    words = "Phone is currently unreachable/unavailable" if failed else "Message has been accepted by phone"
    at = message.received_at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    return {
        "notification": {"messageId": message.key, "timestamp": at},
        "delivery": {
            "phoneCarrier": "Sandbox",
            "mnc": 270,
            "mcc": 310,
            "destination": message.to,
            "priceInUSD": 0.00645,
            "smsType": "Transactional",
            "providerResponse": words,
            "dwellTimeMs": 10,
            "dwellTimeMsUntilDeviceAck": fault.receipt_delay_ms,
        },
        "status": "FAILURE" if failed else "SUCCESS",
    }


def inbound(said: Form) -> Form:
    """https://docs.aws.amazon.com/sms-voice/latest/userguide/two-way-sms-payload.html"""
    return {
        "originationNumber": said["from"],
        "destinationNumber": said["to"],
        "messageKeyword": "KEYWORD_123456789012",
        "messageBody": said["text"],
        "inboundMessageId": str(uuid4()),
    }


def refused(code: str, message: str, status: int = 400) -> RefusedError:
    return RefusedError(error(code, message, status))
