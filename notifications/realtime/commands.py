"""What a client may say on the live feed, and what it is answered: each in one transaction of its tenant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Self, TypeVar
from uuid import UUID

import orjson
from pydantic import BaseModel, Field, ValidationError, model_validator

from notifications import changes
from notifications.counting import checked_position
from notifications.mailbox import Mailbox, latest_unread, mailbox, page, show, unread_count
from notifications.models import FeedItem
from notifications.realtime.catching_up import catch_up
from notifications.realtime.frames import Address, encode
from notifications.realtime.push import publish_on_commit
from tenants.context import tenant_scope
from tenants.parsing import RequestModel

UNREAD_LIMIT = 100
PAGE_LIMIT = 100

Model = TypeVar("Model", bound=BaseModel)


class FrameError(Exception):
    """A frame that means nothing here. The socket stays."""

    def __init__(self, code: str, detail: str, ref: str | int | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.ref = ref

    def frame(self) -> bytes:
        return encode("error", {"code": self.code, "detail": self.detail}, ref=self.ref)


class ClientFrame(RequestModel):
    """`{"type","data"?,"ref"?}`; the first may be `{"type":"authenticate","token"}`."""

    type: Annotated[str, Field(max_length=64)]
    data: dict[str, Any] = {}
    ref: Annotated[str, Field(max_length=64)] | int | None = None
    token: str | None = None


class Nothing(RequestModel):
    """A frame that carries no data."""


class Ids(RequestModel):
    """`{"id"}` or `{"ids"}`"""

    id: UUID | None = None
    ids: Annotated[list[UUID], Field(min_length=1, max_length=1000)] | None = None

    @model_validator(mode="after")
    def one_of_them(self) -> Self:
        if (self.id is None) == (self.ids is None):
            raise ValueError("give either id or ids")
        return self

    def all(self) -> list[UUID]:
        return self.ids or ([self.id] if self.id else [])


class Resume(RequestModel):
    after: Annotated[int, Field(ge=0, lt=2**63)] | None = None


class History(RequestModel):
    """`before`: a `seq`."""

    limit: Annotated[int, Field(ge=1, le=PAGE_LIMIT)] = 20
    before: Annotated[int, Field(ge=1, lt=2**63)] | None = None


def parse(text: str | None) -> ClientFrame:
    """Raises `FrameError` for what is not a JSON object of that shape."""
    try:
        document = orjson.loads(text or "")
    except orjson.JSONDecodeError:
        raise FrameError("not_json", "A frame is one JSON object, as text.") from None
    return _validate(ClientFrame, document)


def greet(address: Address) -> bytes:
    """The first frame on a socket."""
    with tenant_scope(address.tenant_id):
        seq, unread = checked_position(mailbox(address))
    return encode("connected", {"recipient": address.external_id, "unread_count": unread, "seq": seq})


def answer(address: Address, frame: ClientFrame) -> list[bytes]:
    """Do what the frame asks for; the frames to answer with. Raises `FrameError`."""
    command = _COMMANDS.get(frame.type)
    if command is None:
        raise FrameError("unknown_type", "There is no such frame type.", frame.ref)
    try:
        with tenant_scope(address.tenant_id):
            return list(command(mailbox(address), frame))
    except FrameError as error:
        error.ref = frame.ref
        raise


def _validate(model: type[Model], document: object) -> Model:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise FrameError("validation_error", f"{where}: {first['msg']}".removeprefix(": ")) from None


Command = Callable[[Mailbox, ClientFrame], Iterator[bytes]]


def _changes(change: Callable[[Mailbox, Sequence[UUID]], changes.Changed]) -> Command:
    """The command that makes a change to the items it names."""

    def command(of: Mailbox, frame: ClientFrame) -> Iterator[bytes]:
        changed = change(of, _validate(Ids, frame.data).all())
        yield _acknowledgement(frame, changed)

    return command


def _read_all(of: Mailbox, frame: ClientFrame) -> Iterator[bytes]:
    _validate(Nothing, frame.data)
    yield _acknowledgement(frame, changes.read_all(of))


def _acknowledgement(frame: ClientFrame, changed: changes.Changed) -> bytes:
    publish_on_commit(changed.frames)
    body = {"ids": changed.ids, "unread_count": changed.unread}
    return encode(f"{frame.type}-acknowledged", body, ref=frame.ref)


def _resume(of: Mailbox, frame: ClientFrame) -> Iterator[bytes]:
    """A part of what was missed; `more` says that another resume, after the last of it, has more."""
    after = _validate(Resume, frame.data).after
    if after is None:
        news, more = [_news(item) for item in latest_unread(of, UNREAD_LIMIT)], False
    else:
        part = catch_up(of, after, _news)
        news, more = part.items, part.more
    yield from news
    yield encode("notifications:catch-up-complete", {"count": len(news), "more": more}, ref=frame.ref)
    yield encode("unread-count", {"count": unread_count(of)})


def _news(item: FeedItem) -> bytes:
    return encode("notification:new", show(item), seq=item.seq)


def _history(of: Mailbox, frame: ClientFrame) -> Iterator[bytes]:
    """A page of what the API lists, newest first. `next`: the `before` of the page after it, or null."""
    wanted = _validate(History, frame.data)
    items = page(of, wanted.limit + 1, wanted.before)
    items, more = items[: wanted.limit], len(items) > wanted.limit
    body = {"results": [show(item) for item in items], "next": items[-1].seq if more else None}
    yield encode("notification:history", body, ref=frame.ref)


def _unread_count(of: Mailbox, frame: ClientFrame) -> Iterator[bytes]:
    _validate(Nothing, frame.data)
    yield encode("unread-count", {"count": unread_count(of)}, ref=frame.ref)


_COMMANDS: Mapping[str, Command] = {
    "resume": _resume,
    "unread-count": _unread_count,
    "notification:history": _history,
    "notification:received": _changes(changes.mark_received),
    "notification:seen": _changes(changes.mark_seen),
    "notification:clicked": _changes(changes.mark_clicked),
    "notification:read": _changes(changes.mark_read),
    "notification:unread": _changes(changes.mark_unread),
    "notification:archive": _changes(changes.archive),
    "notification:unarchive": _changes(changes.unarchive),
    "notification:delete": _changes(changes.delete),
    "notification:read-all": _read_all,
}
