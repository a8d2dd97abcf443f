"""Receipts of mail services: verified and read by django-anymail's webhook views, told in our words.

https://anymail.dev/en/stable/sending/tracking/
"""

from __future__ import annotations

import datetime as dt
import io
import time
import warnings
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import urlsplit

from anymail.exceptions import AnymailConfigurationError, AnymailError, AnymailWarning
from anymail.signals import AnymailTrackingEvent, EventType, RejectReason
from django.core.handlers.wsgi import WSGIRequest
from django.utils.module_loading import import_string
from pydantic import Field, SecretStr

from delivery.providers.base import (
    ErrorKind,
    LoginRequired,
    ParsedReceipt,
    Provider,
    ProviderError,
    ProviderSettings,
    ReceiptRefused,
    ReceiptRequest,
    ReceiptStatus,
)

REFERENCE, MAILED_TO = "carillon_reference", "carillon_to"
"""Metadata of a mail: the message's reference, and its address where others got copies."""

OLDEST = dt.timedelta(days=1)
"""Of a signature with a time. Vendors try again for most of a day; what comes twice has no effect anyway."""

_STATUSES = {
    EventType.QUEUED: ReceiptStatus.SENT,
    EventType.SENT: ReceiptStatus.SENT,
    EventType.DEFERRED: ReceiptStatus.SENT,  # the service goes on trying by itself
    EventType.DELIVERED: ReceiptStatus.DELIVERED,
    EventType.BOUNCED: ReceiptStatus.FAILED,
    EventType.REJECTED: ReceiptStatus.FAILED,
    EventType.FAILED: ReceiptStatus.FAILED,
    EventType.OPENED: ReceiptStatus.OPENED,
    EventType.CLICKED: ReceiptStatus.CLICKED,
    EventType.COMPLAINED: ReceiptStatus.COMPLAINED,
}
_GONE = {RejectReason.INVALID, RejectReason.BOUNCED, RejectReason.SPAM, RejectReason.UNSUBSCRIBED}
_UNREADABLE = (AnymailError, AnymailConfigurationError, LookupError, TypeError, ValueError, AttributeError)


class Tracked(Provider):
    """A service whose webhook anymail has a view for, named by `view`: it is imported when first needed."""

    view: ClassVar[str]

    @property
    @abstractmethod
    def webhook_secret(self) -> str:
        """What receipts are verified by, or empty: then none are taken."""

    @abstractmethod
    def view_options(self) -> Mapping[str, Any]:
        """What anymail's view is made with."""

    @cached_property
    def _view(self) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AnymailWarning)
            return import_string(self.view)(**self.view_options())

    def verify(self, request: ReceiptRequest) -> None:
        if not self.webhook_secret:
            raise ReceiptRefused("the account has nothing to verify it by")
        try:
            self.validate(request)
        except _UNREADABLE:
            raise ReceiptRefused("the signature does not hold") from None

    def silence(self) -> str:
        return "" if self.webhook_secret else "its settings say nothing that receipts could be verified by"

    def validate(self, request: ReceiptRequest) -> None:
        self._view.run_validators(as_django(request))

    def parse(self, request: ReceiptRequest) -> Sequence[ParsedReceipt]:
        try:
            events = self._view.parse_events(as_django(request))
            return [self._receipt(event) for event in events if not _is_of_a_copy(event)]
        except _UNREADABLE as error:
            raise ReceiptRefused(f"unreadable: {type(error).__name__}") from None

    def event_id(self, event: AnymailTrackingEvent) -> str:
        """The same when the service repeats itself."""
        if event.event_id:
            return str(event.event_id)
        at = event.timestamp.timestamp() if event.timestamp else ""
        return f"{event.message_id}:{event.event_type}:{at}"

    def is_permanent(self, event: AnymailTrackingEvent) -> bool:
        """Whether the address of a mail that came back will never work."""
        return event.reject_reason in _GONE

    def _receipt(self, event: AnymailTrackingEvent) -> ParsedReceipt:
        status = _STATUSES.get(event.event_type, ReceiptStatus.UNKNOWN)
        return ParsedReceipt(
            event_id=self.event_id(event),
            message_id=event.message_id or "",
            status=status,
            occurred_at=event.timestamp or dt.datetime.now(dt.UTC),
            error=self._failure(event) if status is ReceiptStatus.FAILED else None,
            reference=_metadata(event).get(REFERENCE, ""),
        )

    def _failure(self, event: AnymailTrackingEvent) -> ProviderError:
        words = event.mta_response or event.description or event.reject_reason or event.event_type
        if event.event_type == EventType.FAILED:
            return ProviderError(ErrorKind.TRANSIENT, str(words), code="failed")
        is_gone = self.is_permanent(event)
        return ProviderError(ErrorKind.ADDRESS, str(words), code=event.event_type, permanent=is_gone)


class LoginSettings(ProviderSettings):
    """Of a service that signs nothing: it logs in to the webhook by the name and password in its URL."""

    webhook_login: SecretStr | None = Field(
        None,
        title="Webhook login",
        description="user:password, as they stand in the webhook's URL. Without it, no receipts.",
    )


class LoggedIn(Tracked):
    """HTTP basic authentication (RFC 7617), which is all that these services have."""

    @property
    def webhook_secret(self) -> str:
        login: SecretStr | None = self.settings.webhook_login
        return login.get_secret_value() if login else ""

    def view_options(self) -> dict[str, Any]:
        return {"webhook_secret": self.webhook_secret}

    def validate(self, request: ReceiptRequest) -> None:
        if "authorization" not in request.headers:
            raise LoginRequired("it brought no login")
        super().validate(request)


def refuse_unless_recent(timestamp: str) -> None:
    """A signed time in seconds since 1970: a request that was overheard long ago is not taken again."""
    if abs(time.time() - float(timestamp)) > OLDEST.total_seconds():
        raise ReceiptRefused("it is too old")


def as_django(request: ReceiptRequest) -> WSGIRequest:
    """As the views look at it."""
    parts = urlsplit(request.url)
    environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in request.headers.items()}
    return WSGIRequest(
        {
            **environ,
            "REQUEST_METHOD": request.method,
            "PATH_INFO": parts.path,
            "QUERY_STRING": parts.query,
            "SERVER_NAME": parts.hostname or "",
            "SERVER_PORT": str(parts.port or 443),
            "wsgi.url_scheme": parts.scheme,
            "wsgi.input": io.BytesIO(request.body),
            "CONTENT_LENGTH": str(len(request.body)),
            "CONTENT_TYPE": request.headers.get("content-type", ""),
        }
    )


def _metadata(event: AnymailTrackingEvent) -> Mapping[str, str]:
    return event.metadata if isinstance(event.metadata, Mapping) else {}


def _is_of_a_copy(event: AnymailTrackingEvent) -> bool:
    """It tells of somebody who got a copy, and must not be held against the recipient."""
    meant = _metadata(event).get(MAILED_TO)
    return bool(meant and event.recipient and meant.lower() != event.recipient.lower())
