"""A topic of Amazon SNS and those who subscribed to it by HTTP.

https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html
https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from secrets import token_hex
from urllib.parse import urlencode
from uuid import uuid4
from xml.sax.saxutils import escape

import orjson
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from sandbox.receipts import Post, Receipts
from sandbox.webhooks import Webhook

NAMESPACE = "http://sns.amazonaws.com/doc/2010-03-31/"
ASK_AGAIN_S = 1.0
ARN = "arn:aws:sns:eu-central-1:123456789012:sandbox"
_SIGNED = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_HASHES = {"1": hashes.SHA1, "2": hashes.SHA256}

Report = Callable[[int | str], None]


class Signer:
    """Signs as Amazon does, by a certificate of its own."""

    def __init__(self, lifetime: timedelta = timedelta(days=30)) -> None:
        self._lifetime = lifetime

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @cached_property
    def certificate(self) -> bytes:
        """In PEM."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        now = datetime.now(UTC)
        draft = (
            x509.CertificateBuilder(name, name, self._key.public_key(), x509.random_serial_number())
            .not_valid_before(min(now, now + self._lifetime) - timedelta(days=1))
            .not_valid_after(now + self._lifetime)
        )
        return draft.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def signed(self, document: dict[str, str], url: str, version: str = "2") -> dict[str, str]:
        """With its signature; `url` is where the certificate lies."""
        said = "".join(f"{name}\n{document[name]}\n" for name in _SIGNED if name in document)
        signature = self._key.sign(said.encode(), padding.PKCS1v15(), _HASHES[version]())
        named = {"SignatureVersion": version, "Signature": b64encode(signature).decode()}
        return {**document, **named, "SigningCertURL": url}


@dataclass(slots=True)
class Subscription:
    """What it is to be told waits until it has confirmed."""

    webhook: Webhook
    home: str
    token: str = field(default_factory=lambda: token_hex(64))
    is_confirmed: bool = False
    asked_at: float = float("-inf")
    waiting: list[tuple[dict[str, str], Report]] = field(default_factory=list)


class Topic:
    def __init__(self, receipts: Receipts) -> None:
        self.signer = Signer()
        self.path = f"SimpleNotificationService-{token_hex(16)}.pem"
        self._receipts = receipts
        self._subscriptions: dict[str, Subscription] = {}

    def routes(self, home: str) -> Iterable[web.RouteDef]:
        """Where subscriptions are confirmed, and where the certificate lies."""
        return web.get(f"{home}/", self._confirmed), web.get(f"{home}/{self.path}", self._certificate)

    def publish(self, message: str, webhook: Webhook, home: str, report: Report, *, times: int = 1) -> None:
        """To one subscriber, who is asked first whether it is one. `home` is our URL as it is called."""
        posts = [(self._notification(message), report)] * times
        known = self._subscriptions.get(webhook.url)
        if known is None:
            known = self._subscriptions[webhook.url] = Subscription(webhook, home)
        if known.is_confirmed:
            self._post_all(known, posts)
            return
        known.waiting += posts
        if time.monotonic() - known.asked_at > ASK_AGAIN_S:
            known.asked_at = time.monotonic()
            self._post(known, self._confirmation(known), lambda outcome: None)

    def confirm(self, token: str) -> bool:
        """Whether somebody was asked with this token."""
        asked = next((s for s in self._subscriptions.values() if s.token == token), None)
        if asked is None:
            return False
        asked.is_confirmed = True
        waiting, asked.waiting = asked.waiting, []
        self._post_all(asked, waiting)
        return True

    async def _confirmed(self, request: web.Request) -> web.Response:
        """https://docs.aws.amazon.com/sns/latest/api/API_ConfirmSubscription.html"""
        if not self.confirm(request.query.get("Token", "")):
            return error("InvalidParameter", "Invalid token", 400)
        return result("ConfirmSubscription", "<SubscriptionArn>sandbox</SubscriptionArn>")

    async def _certificate(self, request: web.Request) -> web.Response:
        return web.Response(body=self.signer.certificate, content_type="application/x-pem-file")

    def _post_all(self, to: Subscription, posts: Sequence[tuple[dict[str, str], Report]]) -> None:
        for document, report in posts:
            self._post(to, document, report)

    def _post(self, to: Subscription, document: dict[str, str], report: Report) -> None:
        address = to.webhook.address
        headers = {
            **address.headers,
            "Content-Type": "text/plain; charset=UTF-8",
            "x-amz-sns-message-type": document["Type"],
            "x-amz-sns-message-id": document["MessageId"],
            "x-amz-sns-topic-arn": ARN,
        }
        body = orjson.dumps(self.signer.signed(document, f"{to.home}/{self.path}"))
        self._receipts.post(Post(address.url, body, headers, report))

    def _notification(self, message: str) -> dict[str, str]:
        return {"Type": "Notification", "Message": message, **_about()}

    def _confirmation(self, asked: Subscription) -> dict[str, str]:
        query = urlencode({"Action": "ConfirmSubscription", "TopicArn": ARN, "Token": asked.token}, safe=":")
        words = f"You have chosen to subscribe to the topic {ARN}.\nTo confirm, visit the SubscribeURL."
        asking = {"Message": words, "Token": asked.token, "SubscribeURL": f"{asked.home}/?{query}"}
        return {"Type": "SubscriptionConfirmation", **asking, **_about()}


def _about() -> dict[str, str]:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"MessageId": str(uuid4()), "TopicArn": ARN, "Timestamp": now}


def result(action: str, said: str) -> web.Response:
    return xml(
        f'<{action}Response xmlns="{NAMESPACE}"><{action}Result>{said}</{action}Result>'
        f"<ResponseMetadata><RequestId>{uuid4()}</RequestId></ResponseMetadata></{action}Response>"
    )


def error(code: str, message: str, status: int, headers: dict[str, str] | None = None) -> web.Response:
    said = f"<Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message>"
    about = f"<RequestId>{uuid4()}</RequestId>"
    body = f'<ErrorResponse xmlns="{NAMESPACE}"><Error>{said}</Error>{about}</ErrorResponse>'
    return xml(body, status, headers)


def xml(body: str, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(text=body, status=status, headers=headers, content_type="text/xml")
