"""Firebase Cloud Messaging's HTTP v1 API, and Google's endpoint of access tokens before it.

Sending: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send
Errors: https://firebase.google.com/docs/cloud-messaging/error-codes
Tokens: https://developers.google.com/identity/protocols/oauth2/service-account#httprest
"""

import re
import secrets
import time
from collections.abc import Iterable
from functools import partial
from typing import Any

import jwt
import orjson
from aiohttp import web

from sandbox.faults import Fault
from sandbox.http_vendor import HttpVendor, RefusedError, json_response, retry_after, shown
from sandbox.store import Content, Message

ROOT = "/fcm"
TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - where tokens come from
SCOPES = {f"https://www.googleapis.com/auth/{name}" for name in ("firebase.messaging", "cloud-platform")}
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LIFETIME_S = 3600
MAX_BYTES, MAX_TOPIC_BYTES = 4096, 2048
TTL = re.compile(r"\d+(\.\d{1,9})?s")

FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"

UNREGISTERED = (404, "NOT_FOUND", "UNREGISTERED", "Requested entity was not found.")
FATES = {
    "unregistered": UNREGISTERED,
    "malformed": (
        *(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"),
        "The registration token is not a valid FCM registration token",
    ),
    "another-sender": (403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH", "SenderId mismatch"),
    "no-apns-key": (
        *(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"),
        "Auth error from APNS or Web Push Service",
    ),
}
"""Registration tokens that always end in the same way: HTTP status, its word, FCM's code, a message."""
OWNED = re.compile(r"of-project-([a-z0-9-]+)")
"""Tokens that only the project they name reaches."""

FAILURES = {
    401: ("UNAUTHENTICATED", "", "Request had invalid authentication credentials."),
    403: ("PERMISSION_DENIED", "", "Permission 'cloudmessaging.messages.create' denied."),
    429: ("RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", "Quota exceeded for 'Message send requests'."),
    500: ("INTERNAL", "INTERNAL", "Internal error encountered."),
    503: ("UNAVAILABLE", "UNAVAILABLE", "The service is currently unavailable."),
}


class GoogleTokenVendor(HttpVendor):
    """Grants a token for an assertion that is shaped as it should be: nobody's public key is known here."""

    name = "google_token"
    channel = "push"

    def routes(self) -> Iterable[web.RouteDef]:
        return (web.post(f"{ROOT}/token", self.guarded(self._grant)),)

    def account(self, request: web.Request) -> str:
        return self.name

    async def _grant(self, request: web.Request, fault: Fault) -> web.Response:
        form = await request.post()
        if form.get("grant_type") != GRANT:
            return json_response({"error": "unsupported_grant_type"}, 400)
        if fault.reject or not _is_assertion(str(form.get("assertion", ""))):
            refusal = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
            return json_response(refusal, 400)
        token = f"ya29.{int(time.time()) + LIFETIME_S}.{secrets.token_urlsafe(24)}"
        return json_response({"access_token": token, "expires_in": LIFETIME_S - 1, "token_type": "Bearer"})


class FcmVendor(HttpVendor):
    """A fault's account name is the project's id."""

    name = "fcm"
    channel = "push"

    def routes(self) -> Iterable[web.RouteDef]:
        return (web.post(f"{ROOT}/v1/projects/{{project}}/messages:send", self.guarded(self._send)),)

    def account(self, request: web.Request) -> str:
        if not _is_granted(request.headers.get("Authorization", "")):
            raise RefusedError(_error(401, *FAILURES[401]))
        return request.match_info["project"]

    def failure(self, status: int, fault: Fault) -> web.Response:
        word, code, words = FAILURES.get(status, ("UNKNOWN", "UNSPECIFIED_ERROR", "Request failed."))
        return _error(status, word, code, words, headers=retry_after(fault))

    async def _send(self, request: web.Request, fault: Fault) -> web.Response:
        source = await request.text()
        document = _read(source)
        message = document.get("message") or {}
        if wrong := _wrong(message):
            field, words = wrong
            return _error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", words, field=field)
        project = request.match_info["project"]
        token = str(message.get("token", ""))
        if fate := FATES.get(token) or _fate_at(project, token) or (UNREGISTERED if fault.reject else None):
            return _error(*fate)
        if document.get("validate_only"):
            return json_response({"name": f"projects/{project}/messages/fake_message_id"})
        name = f"projects/{project}/messages/0:{time.time_ns() // 1000}%{secrets.token_hex(8)}"
        self.store.add(self._kept(source, message, project, name, shown(request.headers)))
        return json_response({"name": name})

    def _kept(
        self, source: str, message: dict[str, Any], project: str, name: str, headers: dict[str, str]
    ) -> Message:
        topic = message.get("topic")
        return Message(
            channel=self.channel,
            provider=self.name,
            account=project,
            to=f"/topics/{topic}" if topic else str(message.get("token") or message.get("condition")),
            sender=project,
            size=len(source),
            parse=partial(content, source, headers),
            key=name,
        )


def content(source: str, headers: dict[str, str]) -> Content:
    message = orjson.loads(source)["message"]
    said = message.get("notification", {})
    return Content(raw=source, title=said.get("title"), text=said.get("body"), headers=headers, data=message)


def _fate_at(project: str, token: str) -> tuple[int, str, str, str] | None:
    owner = OWNED.fullmatch(token)
    return FATES["another-sender"] if owner and owner[1] != project else None


def _is_assertion(assertion: str) -> bool:
    now = time.time()
    try:
        head = jwt.get_unverified_header(assertion)
        claims = jwt.decode(assertion, options={"verify_signature": False})
        lives = claims["exp"] - claims["iat"]
        is_in_time = claims["iat"] <= now + 60 and claims["exp"] > now and 0 < lives <= 3600
    except (jwt.InvalidTokenError, KeyError, TypeError):
        return False
    is_ours = claims.get("aud") == TOKEN_URL and SCOPES.issuperset(claims.get("scope", "?").split())
    return head["alg"] == "RS256" and bool(claims.get("iss")) and is_in_time and is_ours


def _is_granted(authorization: str) -> bool:
    """The end of a token stands in it, so that one outlives a restart of the sandbox."""
    _, _, token = authorization.partition("Bearer ya29.")
    end = token.partition(".")[0]
    return end.isdecimal() and int(end) > time.time()


def _read(source: str) -> dict[str, Any]:
    try:
        document = orjson.loads(source)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        raise RefusedError(_error(400, "INVALID_ARGUMENT", "", "Invalid JSON payload received."))
    return document


def _wrong(message: dict[str, Any]) -> tuple[str, str] | None:
    """The field that FCM would not take, and why."""
    if sum(bool(message.get(target)) for target in ("token", "topic", "condition")) != 1:
        return "message", "Recipient of the message is not set."
    data = message.get("data", {})
    for place, value in enumerate(data.values()):
        if not isinstance(value, str):
            return f"message.data[{place}].value", f"Invalid value at 'message.data[{place}].value'"
    if not TTL.fullmatch(message.get("android", {}).get("ttl", "0s")):
        return "message.android.ttl", "Illegal duration format"
    size = len(orjson.dumps({"data": data, "notification": message.get("notification", {})}))
    limit = MAX_TOPIC_BYTES if message.get("topic") else MAX_BYTES
    return ("message", "Message is too big") if size > limit else None


def _error(
    status: int,
    word: str,
    code: str,
    words: str,
    *,
    field: str = "",
    headers: dict[str, str] | None = None,
) -> web.Response:
    details: list[dict[str, Any]] = []
    if code:
        details.append({"@type": FCM_ERROR, "errorCode": code})
    if field:
        details.append({"@type": BAD_REQUEST, "fieldViolations": [{"field": field, "description": words}]})
    error = {"code": status, "message": words, "status": word, "details": details}
    return json_response({"error": error}, status, headers)
