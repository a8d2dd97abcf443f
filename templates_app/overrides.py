"""What a message may say in its channel's own terms: Slack's blocks, a WhatsApp template, an image.

A template has them as the part `overrides`, JSON with the data in it; a request gives them by channel, and
its fields go before the template's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import orjson
from pydantic import Field, HttpUrl, StringConstraints, ValidationError, model_validator

from tenants.parsing import RequestModel

Line = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00-\x1f\x7f]*$")]
HeaderName = Annotated[str, StringConstraints(max_length=76, pattern=r"^[!-9;-~]+$")]  # RFC 5322, 3.6.8
Document = dict[str, Any]


_FILENAME = r"^[^\x00-\x1f\x7f/\\]+$"
# In ASCII: a bounded repetition of \w takes megabytes when it is compiled.
_CONTENT_ID = r"^[A-Za-z0-9_.@+-]+$"
_MEDIA_TYPE = r"^[A-Za-z0-9_.+-]+/[A-Za-z0-9_.+-]+$"


class AttachmentFields(RequestModel):
    """A file: its content in base64 (RFC 4648), or a URL to fetch it from when the message goes out.

    With a `content_id` it is an image that the HTML shows by `cid:` (RFC 2392).
    """

    filename: Annotated[str, StringConstraints(max_length=255, pattern=_FILENAME)]
    content_type: Annotated[str, StringConstraints(max_length=127, pattern=_MEDIA_TYPE)] | None = None
    content: str | None = None
    url: HttpUrl | None = None
    content_id: Annotated[str, StringConstraints(max_length=127, pattern=_CONTENT_ID)] | None = None

    @model_validator(mode="after")
    def _is_somewhere(self) -> AttachmentFields:
        if (self.content is None) == (self.url is None):
            raise ValueError("give content or url, one of them")
        return self


class InAppAction(RequestModel):
    """Where the item in the feed leads."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
    url: HttpUrl


class InAppOverrides(RequestModel):
    """`icon` is an image's URL, or a name that the app knows. A notification's own action goes first."""

    action: InAppAction | None = None
    icon: Annotated[str, StringConstraints(max_length=64, pattern=r"^[a-z0-9_-]+$")] | HttpUrl | None = None


class EmailOverrides(RequestModel):
    """What this one email says differently from its account."""

    reply_to: Annotated[list[Line], Field(max_length=10)] | None = None
    cc: Annotated[list[Line], Field(max_length=50)] | None = None
    bcc: Annotated[list[Line], Field(max_length=50)] | None = None
    headers: dict[HeaderName, Line] | None = None
    attachments: Annotated[list[AttachmentFields], Field(max_length=20)] | None = None
    tags: Annotated[list[Line], Field(max_length=10)] | None = None
    metadata: dict[str, Line] | None = None


class SmsOverrides(RequestModel):
    """`transliterate` spells in GSM-7 what would need UCS-2; more than `max_segments` parts are refused."""

    sender: Line | None = None
    transliterate: bool | None = None
    max_segments: Annotated[int, Field(ge=1, le=255)] | None = None


class WhatsAppTemplate(RequestModel):
    """A template that Meta approved; `parameters` fill its body, `components` are Meta's own for more."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=512)]
    language: Annotated[str, StringConstraints(min_length=2, max_length=15)] | None = None
    parameters: Annotated[list[str], Field(max_length=100)] = []
    components: list[Document] | None = None


class Media(RequestModel):
    type: Literal["image", "document", "video"]
    url: HttpUrl
    caption: Annotated[str, StringConstraints(max_length=1024)] | None = None
    filename: Line | None = None


class WhatsAppOverrides(RequestModel):
    template: WhatsAppTemplate | None = None
    media: Media | None = None


class PushOverrides(RequestModel):
    """`data` goes to the app; `android`, `apns` and `webpush` are the vendor's own, passed on as they are."""

    data: dict[str, str] | None = None
    image: HttpUrl | None = None
    collapse_key: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    android: Document | None = None
    apns: Document | None = None
    webpush: Document | None = None


class SlackOverrides(RequestModel):
    """https://docs.slack.dev/reference/block-kit"""

    blocks: Annotated[list[Document], Field(max_length=50)] | None = None
    thread_ts: Line | None = None
    unfurl_links: bool | None = None


class DiscordOverrides(RequestModel):
    """https://docs.discord.com/developers/resources/message#embed-object"""

    embeds: Annotated[list[Document], Field(max_length=10)] | None = None
    username: Annotated[str, StringConstraints(min_length=1, max_length=80)] | None = None
    avatar_url: HttpUrl | None = None


class WebhookOverrides(RequestModel):
    """`data` stands in the body in place of the notification's own."""

    data: Document | None = None


class Overrides(RequestModel):
    """By channel, what this one notification does differently."""

    in_app: InAppOverrides | None = None
    email: EmailOverrides | None = None
    sms: SmsOverrides | None = None
    whatsapp: WhatsAppOverrides | None = None
    push: PushOverrides | None = None
    slack: SlackOverrides | None = None
    discord: DiscordOverrides | None = None
    webhook: WebhookOverrides | None = None


OVERRIDES: Mapping[str, type[RequestModel]] = {
    "in_app": InAppOverrides,
    "email": EmailOverrides,
    "sms": SmsOverrides,
    "whatsapp": WhatsAppOverrides,
    "push": PushOverrides,
    "slack": SlackOverrides,
    "discord": DiscordOverrides,
    "webhook": WebhookOverrides,
}


def checked(channel: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """The overrides as they are kept: what is said, and nothing else. Raises pydantic's ValidationError."""
    return OVERRIDES[channel].model_validate(document).model_dump(mode="json", exclude_none=True)


def said(channel: str, document: str) -> Mapping[str, Any]:
    """What the rendered part `overrides` says; one that the data spoil says nothing."""
    try:
        return checked(channel, orjson.loads(document)) if document else {}
    except (orjson.JSONDecodeError, ValidationError):
        return {}
