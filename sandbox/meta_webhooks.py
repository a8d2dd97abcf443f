"""What Meta posts to a number's webhook, signed by the app's secret: statuses, and what people write.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages
https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/create-webhook-endpoint
"""

import hashlib
import hmac
import time
from base64 import b64encode
from collections.abc import Callable
from secrets import token_bytes
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field

from sandbox.meta_messages import TITLES
from sandbox.receipts import Post
from sandbox.webhooks import Webhook

HREF = "https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes/"

Document = dict[str, Any]


class Reply(BaseModel):
    """The body of `POST /meta/{phone_number_id}/replies`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sender: str = Field(alias="from", pattern=r"^\+[1-9]\d{6,14}$")
    text: str

    def value(self) -> Document:
        person = self.sender.removeprefix("+")
        said = {"id": wamid(), "timestamp": _now(), "type": "text", "text": {"body": self.text}}
        return {
            "contacts": [{"profile": {"name": self.sender}, "wa_id": person}],
            "messages": [{"from": person, **said}],
        }


def wamid() -> str:
    return f"wamid.{b64encode(token_bytes(36)).decode()}"


def display_number(phone_number_id: str) -> str:
    """In digits. The sandbox makes it up from the id."""
    return f"1555{phone_number_id[-7:]:0>7}"


def status(message_id: str, person: str, word: str, code: int | None, reference: str) -> Document:
    told: Document = {"id": message_id, "status": word, "timestamp": _now()}
    told["recipient_id"] = person.removeprefix("+")
    if reference:
        told["biz_opaque_callback_data"] = reference
    if code is not None:
        title = TITLES[code]
        told["errors"] = [{"code": code, "title": title, "message": title, "href": HREF}]
        told["errors"][0]["error_data"] = {"details": title}
    return {"statuses": [told]}


def post(
    phone_number_id: str, value: Document, webhook: Webhook, report: Callable[[int | str], None]
) -> Post:
    numbers = {"display_phone_number": display_number(phone_number_id), "phone_number_id": phone_number_id}
    told = {"messaging_product": "whatsapp", "metadata": numbers, **value}
    entry = {"id": f"9{phone_number_id}", "changes": [{"value": told, "field": "messages"}]}
    body = orjson.dumps({"object": "whatsapp_business_account", "entry": [entry]})
    signed = hmac.new(webhook.secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={signed}"}
    address = webhook.address
    return Post(address.url, body, address.headers | headers, report)


def _now() -> str:
    return str(int(time.time()))
