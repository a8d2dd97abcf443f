"""Twilio's Messages API, version 2010-04-01, for SMS and WhatsApp, with signed callbacks and replies.

Messages: https://www.twilio.com/docs/messaging/api/message-resource
Accounts: https://www.twilio.com/docs/iam/api/account
"""

import secrets
from base64 import b64decode
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial

from aiohttp import web
from pydantic import ValidationError

from sandbox.faults import Fault
from sandbox.http_vendor import HttpVendor, json_response, retry_after, shown
from sandbox.receipts import Post
from sandbox.store import Message
from sandbox.twilio_messages import (
    VERSION,
    WHATSAPP,
    Form,
    channel_of,
    content,
    error,
    parse,
    refuse_if_invalid,
    refuse_if_unreachable,
    refused,
    resource,
)
from sandbox.twilio_progress import Progress, course, signature
from sandbox.twilio_replies import Reply
from sandbox.vendor import Counter
from sandbox.windows import Windows

ROOT = f"/{VERSION}/Accounts/{{account}}"
FAILURES = {
    401: (20003, "Authenticate"),
    403: (20403, "Forbidden"),
    429: (20429, "Too Many Requests"),
    500: (20500, "An internal server error has occurred"),
    503: (20503, "Service is unavailable"),
}


class TwilioVendor(HttpVendor):
    """A fault's account name is the AccountSid. Any auth token will do but an empty one; it signs callbacks.

    Replies are posted where `PUT /api/webhooks/{name}` says, by the name of the number (`whatsapp:+1…`), of
    the account or of the vendor; its `secret` is the auth token.
    """

    name = "twilio"
    channel = "sms"

    def __init__(self, counter: Counter) -> None:
        super().__init__(counter)
        self._windows = Windows()

    def routes(self) -> Iterable[web.RouteDef]:
        return (
            web.post(f"{ROOT}/Messages.json", self.guarded(self._create)),
            web.get(f"{ROOT}/Messages/{{sid}}.json", self.guarded(self._fetch)),
            web.get(f"{ROOT}.json", self.guarded(self._account)),
            web.post("/twilio/{account}/replies", self._reply),
        )

    def account(self, request: web.Request) -> str:
        auth_token(request)
        return request.match_info["account"]

    def failure(self, status: int, fault: Fault) -> web.Response:
        """Twilio numbers its plain HTTP errors 20000 + status: 20404, 20429, 20500, 20503; 401 is 20003."""
        code, words = FAILURES.get(status, (20000 + status, "Request failed"))
        wait = {"Retry-After": "1"} if status == 429 else {}
        return error(status, code, words, {**wait, **retry_after(fault)})

    async def _create(self, request: web.Request, fault: Fault) -> web.Response:
        source = await request.text()
        form = parse(source)
        refuse_if_invalid(form)
        refuse_if_unreachable(form, fault)
        message = self._kept(source, form, request)
        steps = course(form, fault, may_write=self._windows.is_open(message.account, message.to))
        Progress(self.store, self.receipts, message, form, auth_token(request)).begin(steps, fault)
        return json_response(resource(message, form), 201)

    def _kept(self, source: str, form: Form, request: web.Request) -> Message:
        sid = f"{'MM' if form.get('MediaUrl') else 'SM'}{secrets.token_hex(16)}"
        message = Message(
            channel=channel_of(form),
            provider=self.name,
            account=request.match_info["account"],
            to=form["To"].removeprefix(WHATSAPP),
            sender=(form.get("From") or form["MessagingServiceSid"]).removeprefix(WHATSAPP),
            size=len(source),
            parse=partial(content, source, shown(request.headers)),
            state={"sid": sid, "status": "queued", "error_code": None, "callbacks": []},
            key=sid,
        )
        self.store.add(message)
        return message

    async def _fetch(self, request: web.Request, fault: Fault) -> web.Response:
        message = self.store.by_key(request.match_info["sid"])
        if message is None or message.account != request.match_info["account"]:
            raise refused(404, 20404, f"The requested resource {request.path} was not found")
        return json_response(resource(message, parse(message.content.raw)))

    async def _account(self, request: web.Request, fault: Fault) -> web.Response:
        account, now = request.match_info["account"], format_datetime(datetime.now(UTC))
        return json_response(
            {
                "sid": account,
                "owner_account_sid": account,
                "friendly_name": "Carillon sandbox",
                "auth_token": auth_token(request),
                "status": "active",
                "type": "Full",
                "date_created": now,
                "date_updated": now,
                "uri": request.path,
                "subresource_uris": {"messages": f"{request.path.removesuffix('.json')}/Messages.json"},
            }
        )

    async def _reply(self, request: web.Request) -> web.Response:
        """Somebody writes to a number of the account's. For tests and tours."""
        account = request.match_info["account"]
        try:
            reply = Reply.model_validate_json(await request.read())
        except ValidationError as wrong:
            return json_response({"error": str(wrong)}, 422)
        if reply.sender.startswith(WHATSAPP):
            self._windows.opened(account, reply.sender.removeprefix(WHATSAPP))
        webhook = self.webhooks.find(reply.to, account) or self.webhooks.find(account, self.name)
        if webhook is None:
            return json_response({"error": "neither the number nor the account has a webhook"}, 409)
        address, form = webhook.address, reply.form(account)
        signed = {"X-Twilio-Signature": signature(webhook.secret, address.url, form)}
        self.receipts.post(Post(address.url, form, address.headers | signed, lambda outcome: None))
        return web.Response(status=204)


def auth_token(request: web.Request) -> str:
    """The password of HTTP basic authentication."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    try:
        login, _, token = b64decode(credentials, validate=True).decode().partition(":")
    except ValueError:
        login = token = ""
    if scheme.lower() != "basic" or not (login and token):
        raise refused(401, 20003, "Authenticate")
    return token
