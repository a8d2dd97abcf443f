"""What an Amazon SNS topic posts to its subscribers: whether it is Amazon's, and confirming that we want it.

Text messages' reports come by such topics, and what Amazon SES tells of mails.


Formats: https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
Signatures: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html

Everybody at Amazon can have a topic whose posts are signed, so an account names those that it believes.
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import Certificate, load_pem_x509_certificate
from pydantic import AfterValidator
from yarl import URL

from delivery.providers.base import ErrorKind, ProviderError, ReceiptRefused
from delivery.providers.http import Reply, close_session, exchange

Posted = Mapping[str, str]


def _are_arns(value: str) -> str:
    if strange := [name for name in value.split() if not _ARN.fullmatch(name)]:
        raise ValueError(f"{strange[0]} is no ARN of a topic, arn:aws:sns:eu-central-1:123456789012:name")
    return value


Topics = Annotated[str, AfterValidator(_are_arns)]
"""ARNs, parted by spaces."""

CONFIRMATION = "SubscriptionConfirmation"
_OF_SUBSCRIPTIONS = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    CONFIRMATION: _OF_SUBSCRIPTIONS,
    "UnsubscribeConfirmation": _OF_SUBSCRIPTIONS,
}
_HASHES: Mapping[str, type[hashes.HashAlgorithm]] = {"1": hashes.SHA1, "2": hashes.SHA256}
_ARN = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]{1,256}", re.ASCII)
_AMAZON = r"https://sns\.[a-z0-9-]{3,30}\.amazonaws\.com(?:\.cn)?"


def read(body: bytes) -> Posted:
    """The fields of a post that are text. Raises `ReceiptRefused`."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict) or document.get("Type") not in _SIGNED:
        raise ReceiptRefused("it is no post of a topic")
    return {name: value for name, value in document.items() if isinstance(value, str)}


def verify(posted: Posted, *, topics: str, base_url: str, timeout: float) -> None:
    """Refuse what none of `topics` posted, or Amazon did not sign. `base_url` is who stands in for it.

    Raises `ProviderError` when the certificate cannot be had now.
    """
    if posted.get("TopicArn") not in topics.split():
        raise ReceiptRefused("the account does not name its topic")
    url = posted.get("SigningCertURL", "")
    if not is_certificate(url, base_url):
        raise ReceiptRefused("its certificate is not Amazon's")
    certificate = _certificate(url, timeout)
    now = dt.datetime.now(dt.UTC)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise ReceiptRefused("its certificate is not valid now")
    try:
        _check(posted, certificate)
    except (KeyError, TypeError, ValueError, InvalidSignature):
        raise ReceiptRefused("the signature does not hold") from None


def is_certificate(url: str, base_url: str) -> bool:
    """Whether a certificate of Amazon's, or of who stands in for it, would have this URL."""
    name = r"SimpleNotificationService-[0-9A-Za-z]{1,64}\.pem"
    return re.fullmatch(f"{_home(base_url)}/{name}", url) is not None


def confirm(posted: Posted, *, base_url: str, timeout: float) -> None:
    """Visit the URL by which Amazon learns that the subscription is wanted."""
    url = posted.get("SubscribeURL", "")
    if not re.fullmatch(rf"{_home(base_url)}/\?Action=ConfirmSubscription&[\x21-\x7e]+", url):
        raise ReceiptRefused("its confirmation is not at Amazon")
    _fetch(url, timeout)


def _home(base_url: str) -> str:
    return f"(?:{_AMAZON}|{re.escape(base_url.rstrip('/'))})" if base_url else _AMAZON


def _check(posted: Posted, certificate: Certificate) -> None:
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise TypeError("no RSA key")
    names = [name for name in _SIGNED[posted["Type"]] if name in posted or name != "Subject"]
    signed = "".join(f"{name}\n{posted[name]}\n" for name in names)
    signature = base64.b64decode(posted["Signature"], validate=True)
    key.verify(signature, signed.encode(), PKCS1v15(), _HASHES[posted["SignatureVersion"]]())


@lru_cache(maxsize=64)
def _certificate(url: str, timeout: float) -> Certificate:
    """Another certificate has another URL."""
    try:
        return load_pem_x509_certificate(_fetch(url, timeout))
    except ValueError:
        raise ReceiptRefused("its certificate is none") from None


def _fetch(url: str, timeout: float) -> bytes:
    """In a thread without a loop, as webhooks are answered."""
    reply = asyncio.run(_reply(url, timeout))
    if reply.status == 200:
        return reply.body
    error = reply.error()
    if error.kind in {ErrorKind.ACCOUNT, ErrorKind.ADDRESS}:
        raise ReceiptRefused(f"what it names is not to be had: HTTP {reply.status}")
    raise error


async def _reply(url: str, timeout: float) -> Reply:  # noqa: ASYNC109
    try:
        return await exchange("GET", URL(url, encoded=True), timeout=timeout)
    except ProviderError as error:
        error.kind = ErrorKind.TRANSIENT  # nothing was sent to anybody
        raise
    finally:
        await close_session()
