"""Email by Amazon SES, through its API v2 and boto3, which knows all of Amazon's ways to log in.

Sending: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
Batches: https://docs.aws.amazon.com/ses/latest/dg/send-personalized-email-api.html
Errors: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_BulkEmailEntryResult.html
Receipts: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html

Up to 50 recipients share a call, as an inline template of nothing but places for the words: 1 MB in all, and
no attachments. A mail of its own goes out raw. boto3 blocks, so each call has a thread.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property, lru_cache
from typing import Any

import orjson
from pydantic import Field, SecretStr

from delivery.providers import sns_topic
from delivery.providers.base import (
    ErrorKind,
    ParsedReceipt,
    ProviderError,
    ReceiptRequest,
    Sent,
)
from delivery.providers.email.anymail import Esp, EspSettings, Outcome, labelled, own_words
from delivery.providers.email.batching import Batch, Limits, say_the_same
from delivery.providers.email.composing import Words, bad_message
from delivery.providers.http import Reply

_KINDS = {
    "AccountSuspendedException": ErrorKind.ACCOUNT,
    "SendingPausedException": ErrorKind.ACCOUNT,
    "MailFromDomainNotVerifiedException": ErrorKind.ACCOUNT,
    "NotFoundException": ErrorKind.ACCOUNT,  # the configuration set
    "LimitExceededException": ErrorKind.ACCOUNT,
    "TooManyRequestsException": ErrorKind.RATE_LIMITED,
    "Throttling": ErrorKind.RATE_LIMITED,
    "ThrottlingException": ErrorKind.RATE_LIMITED,
    "AccessDeniedException": ErrorKind.ACCOUNT,
    "UnrecognizedClientException": ErrorKind.ACCOUNT,
    # of one among many
    "MAIL_FROM_DOMAIN_NOT_VERIFIED": ErrorKind.ACCOUNT,
    "CONFIGURATION_SET_DOES_NOT_EXIST": ErrorKind.ACCOUNT,
    "CONFIGURATION_SET_NOT_FOUND": ErrorKind.ACCOUNT,
    "CONFIGURATION_SET_SENDING_PAUSED": ErrorKind.ACCOUNT,
    "ACCOUNT_SUSPENDED": ErrorKind.ACCOUNT,
    "ACCOUNT_SENDING_PAUSED": ErrorKind.ACCOUNT,
    "ACCOUNT_DAILY_QUOTA_EXCEEDED": ErrorKind.ACCOUNT,
    "ACCOUNT_THROTTLED": ErrorKind.RATE_LIMITED,
    "INVALID_SENDING_POOL_NAME": ErrorKind.ACCOUNT,
    "TRANSIENT_FAILURE": ErrorKind.TRANSIENT,
    "FAILED": ErrorKind.TRANSIENT,
}
_OURS = re.compile(r"not verified|daily message quota", re.IGNORECASE)
_NOBODY = re.compile(
    r"illegal address|missing (final|local|domain)|(domain|local address) contains", re.IGNORECASE
)


class AmazonSes(Esp):
    name = "amazon_ses"
    label = "Amazon SES"
    view = "anymail.webhooks.amazon_ses.AmazonSESTrackingWebhookView"
    limits = Limits(recipients=50, own_words=200_000, size=700_000, attachments=False)
    at_once = 16

    class Settings(EspSettings):
        region: str = Field(title="Region", description="eu-central-1", pattern=r"^[a-z0-9-]+$")
        access_key_id: str = Field("", title="Access key ID", description="Empty: the machine's own role.")
        secret_access_key: SecretStr | None = Field(None, title="Secret access key")
        configuration_set: str = Field(
            "", title="Configuration set", description="It publishes the receipts."
        )
        topics: sns_topic.Topics = Field(
            "",
            title="Topics",
            description="ARNs, parted by spaces, of the SNS topics that post the receipts."
            " Empty: none are taken.",
        )
        base_url: str = Field(
            "", title="Base URL", description="Empty: the region's own.", pattern=r"^(https?://.*)?$"
        )

    @cached_property
    def _login(self) -> dict[str, str]:
        own = self.settings
        if not own.access_key_id:
            return {"region_name": own.region}
        secret = own.secret_access_key.get_secret_value() if own.secret_access_key else ""
        keys = {"aws_access_key_id": own.access_key_id, "aws_secret_access_key": secret}
        return {"region_name": own.region, **keys}

    def _client(self) -> Any:
        return _client(tuple(self._login.items()), self.settings.base_url, self.timeout)

    async def hand_over(self, batch: Batch) -> Sequence[Outcome]:
        outcomes: Sequence[Outcome] = await self._in_thread(self._call, batch)
        return outcomes

    async def check(self) -> None:
        """It needs the permission `ses:GetAccount`."""
        account = await self._in_thread(self._asked, "get_account", {})
        if not account.get("SendingEnabled", True):
            raise ProviderError(ErrorKind.ACCOUNT, "sending is paused for this account", code="paused")

    async def _in_thread(self, work: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(_threads(), work, *arguments)

    def _call(self, batch: Batch) -> Sequence[Outcome]:
        from anymail.backends.amazon_ses import EmailBackend  # noqa: PLC0415 - it imports boto3: 9 MB
        from anymail.exceptions import AnymailError  # noqa: PLC0415

        try:
            backend = EmailBackend(configuration_set_name=self.settings.configuration_set or None)
            payload = backend.build_message_payload(self.merged(batch), {})
            payload.finalize_payload()
        except (AnymailError, ValueError, TypeError) as error:
            raise bad_message(f"Amazon SES cannot be told this: {type(error).__name__}") from None
        return _read(self._asked(payload.api_name, payload.params), batch)

    def _asked(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError  # noqa: PLC0415

        try:
            answer: dict[str, Any] = getattr(self._client(), operation)(**params)
        except ClientError as error:
            raise _refusal(error.response) from None
        except (BotoCoreError, HTTPClientError) as error:
            raise _broken(type(error).__name__) from None
        return answer

    def merged(self, batch: Batch) -> Any:
        if len(batch) == 1:
            mail = super().merged(batch)
            mail.extra_headers["Message-ID"] = f"<{batch[0].message.id}@carillon>"  # SES puts its own there
            return mail
        mail, is_same = labelled(batch, Words("", "", "")), say_the_same(batch)
        said = own_words(batch[0])
        mail.template_id = "inline"
        mail.merge_data = {one.to: {} if is_same else own_words(one) for one in batch}
        mail.esp_extra = {
            "DefaultContent": {
                "Template": {
                    "TemplateContent": {name.capitalize(): f"{{{{{name}}}}}" for name in said},
                    "TemplateData": orjson.dumps(said if is_same else {}).decode(),
                }
            }
        }
        return mail

    # — receipts: a topic's posts, whose signature anymail's view leaves alone

    @property
    def webhook_secret(self) -> str:
        """The topics, which are all that is believed."""
        topics: str = self.settings.topics
        return topics

    def view_options(self) -> dict[str, Any]:
        return {}

    def validate(self, request: ReceiptRequest) -> None:
        own = self.settings
        posted = sns_topic.read(request.body)
        sns_topic.verify(posted, topics=own.topics, base_url=own.base_url, timeout=self.timeout)

    def parse(self, request: ReceiptRequest) -> Sequence[ParsedReceipt]:
        """Also confirms the topic's subscription, by a call to Amazon."""
        posted = sns_topic.read(request.body)
        if posted["Type"] == sns_topic.CONFIRMATION:
            sns_topic.confirm(posted, base_url=self.settings.base_url, timeout=self.timeout)
            return []
        return super().parse(request)

    def is_permanent(self, event: Any) -> bool:
        return bool(event.esp_event.get("bounce", {}).get("bounceType") == "Permanent")


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(AmazonSes.at_once, "ses")


@lru_cache(16)
def _client(login: tuple[tuple[str, str], ...], base_url: str, timeout: float) -> Any:
    """Clients may be used by many threads; each takes a tenth of a second and 12 MB to make."""
    import boto3  # noqa: PLC0415
    from botocore.client import Config  # noqa: PLC0415

    config = Config(
        connect_timeout=min(timeout, 5.0),
        read_timeout=timeout,
        retries={"total_max_attempts": 1},  # whether to try again is not the client's to decide
        max_pool_connections=AmazonSes.at_once,
    )
    session = boto3.session.Session(**dict(login))
    client = session.client("sesv2", endpoint_url=base_url or None, config=config)
    _silence("boto3", "botocore")
    return client


def _silence(*packages: str) -> None:
    """They log bodies, addresses and signatures, as soon as anybody asks for the level DEBUG."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in packages:
            logging.getLogger(name).disabled = True


def _read(answer: dict[str, Any], batch: Batch) -> Sequence[Outcome]:
    try:
        if len(batch) == 1:
            return [Sent(str(answer["MessageId"]), "queued")]
        results = answer["BulkEmailEntryResults"]
        return [_result(result) for _, result in zip(batch, results, strict=True)]
    except (LookupError, TypeError, ValueError):
        raise ProviderError(ErrorKind.UNKNOWN, "the answer is not as it says", code="unreadable") from None


def _result(result: dict[str, str]) -> Outcome:
    if result["Status"] == "SUCCESS":
        return Sent(result["MessageId"], "queued")
    return _blamed(result["Status"], result.get("Error", result["Status"]), ErrorKind.ADDRESS)


def _refusal(response: dict[str, Any]) -> ProviderError:
    about, said = response["ResponseMetadata"], response["Error"]
    headers = {"Retry-After": about["HTTPHeaders"].get("retry-after", "")}
    plain = Reply(about["HTTPStatusCode"], headers, b"").error()
    error = _blamed(said.get("Code") or plain.code, said.get("Message") or plain.message, plain.kind)
    error.retry_after = plain.retry_after
    return error


def _blamed(code: str, words: str, otherwise: ErrorKind) -> ProviderError:
    kind = ErrorKind.ACCOUNT if _OURS.search(words) else _KINDS.get(code, otherwise)
    is_gone = kind is ErrorKind.ADDRESS and bool(_NOBODY.search(words))
    return ProviderError(kind, words, code=code, permanent=is_gone)


def _broken(name: str) -> ProviderError:
    """What it means that boto3 got no answer, by the name of its exception."""
    if name in {"EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError"}:
        return ProviderError(ErrorKind.TRANSIENT, "could not connect", code="connection_refused")
    if "Credential" in name or name in {"NoRegionError", "SSLError", "TokenRetrievalError"}:
        return ProviderError(ErrorKind.ACCOUNT, f"boto3: {name}", code="credentials")
    if name == "ParamValidationError":
        return bad_message("Amazon SES cannot be told this")
    code = "timeout" if name == "ReadTimeoutError" else "connection_lost"
    return ProviderError(ErrorKind.UNKNOWN, f"boto3: {name}", code=code)
