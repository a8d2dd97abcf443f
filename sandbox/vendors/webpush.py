"""A browser's push service, and the browser too: what is posted is decrypted, as only the browser could.

The service: https://www.rfc-editor.org/rfc/rfc8030. Who posts: https://www.rfc-editor.org/rfc/rfc8292.
The browser: https://www.rfc-editor.org/rfc/rfc8291. Errors: as Mozilla's service words them,
https://mozilla-services.github.io/autopush-rs/errors.html
"""

import hashlib
import re
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from functools import partial
from typing import Any

import http_ece
import orjson
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid.jwt import decode

from sandbox.faults import Fault
from sandbox.http_vendor import HttpVendor, RefusedError, json_response, retry_after, shown
from sandbox.store import Content, Message

ROOT = "/webpush"
GONE = "gone"
MAX_BYTES = 4096
DAY_S = 24 * 3600
URGENCIES = {"very-low", "low", "normal", "high"}
TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")
ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class WebPushVendor(HttpVendor):
    """A fault's account name is the subscription's id. The subscription `gone` was ended.

    `POST /webpush/subscriptions` subscribes, with `{"id": …}` if it matters which; DELETE ends one. Its keys
    follow from its id, so that it outlives a restart of the sandbox.
    """

    name = "webpush"
    channel = "push"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._ended = {GONE}

    def routes(self) -> Iterable[web.RouteDef]:
        return (
            web.post(f"{ROOT}/subscriptions", self._subscribe),
            web.delete(f"{ROOT}/subscriptions/{{id}}", self._unsubscribe),
            web.post(f"{ROOT}/push/{{id}}", self.guarded(self._push)),
        )

    def account(self, request: web.Request) -> str:
        return request.match_info["id"]

    def failure(self, status: int, fault: Fault) -> web.Response:
        return _refusal(status, 999, "Request failed", retry_after(fault))

    async def _subscribe(self, request: web.Request) -> web.Response:
        given = orjson.loads(await request.read() or b"{}")
        id = str(given.get("id") or secrets.token_urlsafe(12))
        if not ID.fullmatch(id):
            return json_response({"error": "an id is letters, digits, - and _"}, 400)
        if id != GONE:
            self._ended.discard(id)
        return json_response(Browser(id).subscription(str(request.url.origin())), 201)

    async def _unsubscribe(self, request: web.Request) -> web.Response:
        self._ended.add(request.match_info["id"])
        return web.Response(status=204)

    async def _push(self, request: web.Request, fault: Fault) -> web.Response:
        id, body = request.match_info["id"], await request.read()
        _refuse_stranger(request)
        if fault.reject or id in self._ended:
            return _refusal(410, 106, "Endpoint has been unsubscribed")
        _refuse_malformed(request, body)
        said = Browser(id).read(body)
        message = self._kept(id, body, said, request)
        self.store.add(message)
        location = f"{request.url.origin()}{ROOT}/messages/{message.id}"
        return web.Response(status=201, headers={"Location": location, "TTL": request.headers["TTL"]})

    def _kept(self, id: str, body: bytes, said: str, request: web.Request) -> Message:
        return Message(
            channel=self.channel,
            provider=self.name,
            account=id,
            to=str(request.url),
            sender=_claims(request).get("sub", ""),
            size=len(body),
            parse=partial(content, said, shown(request.headers)),
        )


class Browser:
    """The keys of a subscription, and what can be done with them (RFC 8291, section 2)."""

    def __init__(self, id: str) -> None:
        seed = hashlib.sha512(f"carillon-sandbox:{id}".encode()).digest()
        self._id, self._auth = id, seed[48:]
        self._key = ec.derive_private_key(int.from_bytes(seed[:31], "big") + 1, ec.SECP256R1())

    def subscription(self, origin: str) -> dict[str, Any]:
        """As `PushSubscription.toJSON` gives it."""
        point = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        keys = {"p256dh": _spelled(point), "auth": _spelled(self._auth)}
        return {"endpoint": f"{origin}{ROOT}/push/{self._id}", "expirationTime": None, "keys": keys}

    def read(self, body: bytes) -> str:
        """The message; a real service could not tell that one cannot be read, and a real browser drops it."""
        try:
            raw: bytes = http_ece.decrypt(
                body, private_key=self._key, auth_secret=self._auth, version="aes128gcm"
            )
            return raw.decode()
        except (http_ece.ECEException, ValueError, UnicodeDecodeError):
            raise RefusedError(_refusal(400, 110, "The browser cannot decrypt it")) from None


def content(source: str, headers: dict[str, str]) -> Content:
    try:
        document = orjson.loads(source)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        return Content(raw=source, text=source, headers=headers)
    said = document.get("notification") or {}
    return Content(raw=source, title=said.get("title"), text=said.get("body"), headers=headers, data=document)


def _refuse_stranger(request: web.Request) -> None:
    """RFC 8292, section 4.2."""
    claims = _claims(request)
    left = claims.get("exp", 0) - time.time()
    contact = str(claims.get("sub", ""))
    if claims.get("aud") != str(request.url.origin()) or not 0 < left <= DAY_S:
        raise RefusedError(_refusal(403, 109, "The authorization is not for this service, or not for now"))
    if not contact.startswith(("mailto:", "https://")):
        raise RefusedError(_refusal(403, 109, "The authorization names no contact"))


def _claims(request: web.Request) -> dict[str, Any]:
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    try:
        claims: dict[str, Any] = decode(parts["t"], parts["k"])
    except (InvalidSignature, KeyError, ValueError):
        claims = {}
    if scheme.lower() != "vapid" or not claims:
        raise RefusedError(_refusal(401, 109, "Request did not validate: no VAPID authorization"))
    return claims


def _refuse_malformed(request: web.Request, body: bytes) -> None:
    """RFC 8030, section 5; RFC 8291, section 4."""
    headers = request.headers
    rules = (
        (headers.get("TTL", "").isdecimal(), 400, 111, "Missing TTL Header"),
        (headers.get("Content-Encoding") == "aes128gcm", 400, 110, "Unknown Content-Encoding"),
        (headers.get("Urgency", "normal") in URGENCIES, 400, 999, "Invalid Urgency"),
        (TOPIC.fullmatch(headers.get("Topic", "x")), 400, 113, "Invalid Topic"),
        (len(body) <= MAX_BYTES, 413, 104, "Data payload too large"),
    )
    for kept, status, number, words in rules:
        if not kept:
            raise RefusedError(_refusal(status, number, words))


def _refusal(status: int, number: int, words: str, headers: dict[str, str] | None = None) -> web.Response:
    return json_response({"code": status, "errno": number, "message": words}, status, headers)


def _spelled(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")
