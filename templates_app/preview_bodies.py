"""What the endpoints take and give that show a wording and judge it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, model_validator

from templates_app import previewing
from templates_app.bodies import Channel, ContentBody, Data, Locale, SchemaBody, VersionView
from templates_app.findings import Finding, Severity
from templates_app.gsm import Encoding
from templates_app.inspection import Draft
from templates_app.segments import Segments
from templates_app.workshop import RenderError
from tenants.parsing import RequestModel

VersionNumber = Annotated[int, Field(gt=0, lt=2**31)]


class LintRequest(RequestModel):
    """What is looked at: `contents` that are stored nowhere, a version by its number, or the newest.

    Without `data` the version's sample data are used. `schema` is of `contents`; a version has its own.
    """

    version: VersionNumber | None = None
    contents: Annotated[list[ContentBody], Field(min_length=1, max_length=200)] | None = None
    data: Data | None = None
    data_schema: SchemaBody = None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if self.version is not None and self.contents is not None:
            raise ValueError("Give version or contents, one of them.")
        return self

    def drafts(self) -> list[Draft] | None:
        return None if self.contents is None else [content.draft() for content in self.contents]


class PreviewRequest(LintRequest):
    """Without `locale` every locale is shown; with it, what a recipient of that locale would get.

    Without `channel` every channel is.
    """

    locale: Locale | None = None
    channel: Channel | None = None


class FindingView(BaseModel):
    """`pointer` is a JSON pointer into `{"contents": […]}`; `source` is the page that asks for it.

    An error keeps a version from being published, a warning or an info does not.
    """

    code: str
    severity: Severity
    detail: str
    channel: str | None
    locale: str | None
    part: str | None
    line: int | None
    pointer: str
    source: str | None

    @classmethod
    def of(cls, finding: Finding) -> Self:
        return cls(
            code=finding.code,
            severity=finding.severity,
            detail=finding.words,
            channel=finding.channel or None,
            locale=finding.locale or None,
            part=finding.part or None,
            line=finding.line,
            pointer=finding.pointer,
            source=finding.source or None,
        )


class Published(VersionView):
    """With what there is to say of it that does not keep it from being published."""

    findings: list[FindingView]


class PreviewError(BaseModel):
    code: str
    detail: str
    part: str | None
    line: int | None

    @classmethod
    def of(cls, error: RenderError) -> Self:
        return cls(code=error.code, detail=error.message, part=error.part, line=error.line)


class SegmentsView(BaseModel):
    """What a text message is charged as; `texts` is what each of its parts holds."""

    encoding: Encoding
    parts: int
    characters: int
    limit: int
    texts: list[str]

    @classmethod
    def of(cls, segments: Segments, texts: Sequence[str]) -> Self:
        return cls(**asdict(segments), texts=list(texts))


class Preview(BaseModel):
    """The words on a channel in a locale, or why there are none.

    `segments` are a text message's. `shape` is what the channel's vendor is handed, or what people see:
    Slack's blocks, Discord's embeds, a push with its size in bytes.
    """

    channel: str
    locale: str
    subject: str = ""
    title: str = ""
    body: str = ""
    html: str = ""
    overrides: str = ""
    segments: SegmentsView | None = None
    shape: dict[str, Any] = {}
    findings: list[FindingView] = []
    error: PreviewError | None = None

    @classmethod
    def of(cls, shown: previewing.Preview) -> Self:
        words = {} if shown.words is None else shown.words._asdict()
        return cls(
            channel=shown.channel,
            locale=shown.locale,
            **words,
            segments=SegmentsView.of(shown.segments, shown.texts) if shown.segments else None,
            shape=shown.shape,
            findings=[FindingView.of(finding) for finding in shown.findings],
            error=PreviewError.of(shown.error) if shown.error else None,
        )


class PreviewAnswer(BaseModel):
    """`findings` are about more than one content: a locale that is missing, a name that nothing uses."""

    results: list[Preview]
    findings: list[FindingView]


class LintAnswer(BaseModel):
    """The heaviest first."""

    findings: list[FindingView]
