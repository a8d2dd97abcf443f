"""What services may ask for, as pydantic models: the shapes of API.md, checked in microseconds."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Discriminator, Field, HttpUrl, StringConstraints, Tag, model_validator

from notifications.models import Priority
from preferences.addresses import ExternalId, RecipientFields
from templates_app.digest_windows import DigestWish
from templates_app.overrides import Overrides
from tenants.channels import Entries
from tenants.parsing import RequestModel

PRIORITIES = {priority.label.lower(): priority.value for priority in Priority}
MAX_ITEMS = 1000
_ITEM_KEY = r"^[\x21-\x7e]{1,255}$"

LONGEST = 10**9
"""Seconds: thirty years, so that no sum of times overflows."""

Moment = Annotated[AwareDatetime, Field(lt=dt.datetime(3000, 1, 1, tzinfo=dt.UTC))]
Text = Annotated[str, StringConstraints(max_length=100_000)]


class Action(RequestModel):
    """A button: where it leads and what it says."""

    url: HttpUrl
    text: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class ReadyContent(RequestModel):
    """Words that need no template. At least a body, a title or HTML."""

    subject: Annotated[str, StringConstraints(max_length=998)] = ""
    title: Annotated[str, StringConstraints(max_length=500)] = ""
    body: Text = ""
    html: Text = ""

    @model_validator(mode="after")
    def _says_something(self) -> ReadyContent:
        if not (self.title or self.body or self.html):
            raise ValueError("content needs a title, a body or html")
        return self


def _shape(digest: object) -> str:
    """Which kind it is meant to be, so that its errors are about that kind."""
    return "never" if isinstance(digest, bool) else "digest"


DigestOption = (
    Annotated[
        Annotated[DigestWish, Tag("digest")] | Annotated[Literal[False], Tag("never")], Discriminator(_shape)
    ]
    | None
)


class Timing(RequestModel):
    """When to send and until when; seconds where it is a length of time."""

    send_at: Moment | None = None
    delay: Annotated[int, Field(ge=0, le=LONGEST)] | None = None
    expires_at: Moment | None = None
    expires_in: Annotated[int, Field(gt=0, le=LONGEST)] | None = None

    @model_validator(mode="after")
    def _one_of_each(self) -> Timing:
        if self.send_at is not None and self.delay is not None:
            raise ValueError("give send_at or delay, not both")
        if self.expires_at is not None and self.expires_in is not None:
            raise ValueError("give expires_at or expires_in, not both")
        return self

    def sending_time(self, now: dt.datetime) -> dt.datetime | None:
        """When to send; None is now."""
        if self.delay:
            return now + dt.timedelta(seconds=self.delay)
        return self.send_at if self.send_at is not None and self.send_at > now else None

    def deadline(self, now: dt.datetime) -> dt.datetime | None:
        if self.expires_in is not None:
            return (self.sending_time(now) or now) + dt.timedelta(seconds=self.expires_in)
        return self.expires_at


class Wording(Timing):
    """All of a notification but whom it is for."""

    template: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    template_version: Annotated[int, Field(gt=0, lt=2**31)] | None = None
    data: dict[str, Any] = {}
    content: ReadyContent | None = None
    channels: Annotated[Entries, Field(min_length=1)] | None = None
    category: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    type: Literal["info", "success", "warning", "error", "system"] = "info"
    priority: Literal["urgent", "high", "normal", "low"] = "normal"
    action: Action | None = None
    reference: Annotated[str, StringConstraints(max_length=255)] = ""
    metadata: dict[str, Any] = {}
    overrides: Overrides | None = None
    digest: DigestOption = Field(
        None, description="Left out: as the template says. false: at once, whatever the template says."
    )

    @model_validator(mode="after")
    def _says_one_thing(self) -> Wording:
        if (self.template is None) == (self.content is None):
            raise ValueError("give template (with data) or content, one of them")
        if self.template_version is not None and self.template is None:
            raise ValueError("template_version needs a template")
        return self


class NewNotification(Wording):
    """The body of `POST /notifications/send`."""

    recipient: ExternalId | RecipientFields


class NewItem(NewNotification):
    """A notification within a batch, which may carry a key of its own."""

    idempotency_key: Annotated[str, StringConstraints(pattern=_ITEM_KEY)] | None = None
