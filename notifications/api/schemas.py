"""The answers to services, as the OpenAPI document shows them."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel

from templates_app.segments import Segments
from tenants.channels import Entry


class Accepted(BaseModel):
    id: UUID
    status: Literal["accepted", "scheduled"]
    reference: str
    created_at: dt.datetime
    send_at: dt.datetime | None


class NotificationSummary(BaseModel):
    id: UUID
    status: str
    reason: str
    recipient: str | None
    template: str | None
    category: str
    type: str
    priority: str
    channels: list[Entry]
    reference: str
    metadata: dict[str, Any]
    batch_id: UUID | None
    send_at: dt.datetime | None
    expires_at: dt.datetime | None
    created_at: dt.datetime
    updated_at: dt.datetime


class Attempt(BaseModel):
    number: int
    channel: str
    provider: str
    account: str
    outcome: Literal["sent", "transient", "rate_limited", "account", "address", "unknown"]
    code: str
    detail: str
    ms: int
    at: dt.datetime


class Route(BaseModel):
    channel: str
    address: str


class Delivery(BaseModel):
    """`address` is masked; `routes` is the failover chain.

    Of a chain with `within`: `escalate_at` is when the next channel's turn comes. It then has a delivery of
    its own, whose `escalated_from` names the first of the chain. Devices that ring together have a delivery
    each, `rings_with` names the first of these; the chain goes on with one of them, once.

    One that is `deferred` waits until `held_until`, for its `reason`: `do_not_disturb`, `quiet_hours`,
    `sending_hours`, or `frequency_cap:` and what has no room (`sms`, `all`, `category`, `category:sms` …).
    """

    id: UUID
    channel: str
    address: str
    status: str
    reason: str
    detail: str
    provider: str | None
    routes: list[Route]
    due_at: dt.datetime
    held_until: dt.datetime | None
    sent_at: dt.datetime | None
    delivered_at: dt.datetime | None
    seen_at: dt.datetime | None
    within: int | None
    escalate_at: dt.datetime | None
    escalated_from: UUID | None
    rings_with: UUID | None
    attempts: list[Attempt]


class TraceStep(BaseModel):
    """`plan` decides about each address, `decide` again before it is used. `until`: how long it is held.

    Of a channel with a condition: `recipient_online` (with `since`), `recipient_offline`, `presence_unknown`
    where nobody could be asked; `if_online` and `if_offline` where it is asked when the channel's turn comes.
    """

    at: dt.datetime
    step: Literal["accept", "digest", "plan", "decide", "route", "attempt", "receipt", "escalate"]
    decision: str
    reason: str
    channel: str | None = None
    address: str | None = None
    code: str | None = None
    until: dt.datetime | None = None
    since: dt.datetime | None = None


class Digest(BaseModel):
    """Of an event: the digest it waits in, or that told it. Of what tells a digest: that digest.

    It closes at `closes_at` and then has a `notification_id`. `events` are its first hundred,
    `?digest=` lists all.
    """

    id: UUID
    key: str
    window: str
    opened_at: dt.datetime
    closes_at: dt.datetime
    closed_at: dt.datetime | None
    notification_id: UUID | None
    total: int
    events: list[UUID]


class NotificationDetail(NotificationSummary):
    data: dict[str, Any]
    content: dict[str, str] | None
    action: dict[str, str] | None
    digest: Digest | None
    deliveries: list[Delivery]
    trace: list[TraceStep]


class Wait(BaseModel):
    """The next channel's turn comes after `seconds`, unless this one was `seen` or `delivered` by then."""

    seconds: int
    unless: Literal["seen", "delivered"]


class Hint(BaseModel):
    """`no_receipts`: nobody will hear what became of a message by this account."""

    code: Literal["no_receipts"]
    detail: str


class ExplainedRoute(Route):
    waits: Wait | None
    hint: Hint | None
    account: str | None
    account_reason: str
    content: dict[str, str] | None
    segments: Segments | None
    error: dict[str, str] | None


class Held(BaseModel):
    """Why it would not leave at once, and when it would: as of a delivery that is deferred."""

    reason: str
    until: dt.datetime


class ExplainedDelivery(BaseModel):
    """`rings_with` is the place, from 0, of the first delivery that it rings together with: those share the
    routes after their own, which are used once, when none of them was answered in time or all have failed."""

    rings_with: int | None
    held: Held | None
    routes: list[ExplainedRoute]


class ExplainedDigest(BaseModel):
    """The digest that it would join; `id` is null where it would open one. `total` counts it.

    `plan` is what would become of the digest if it closed now; the deliveries are then the digest's.
    """

    id: UUID | None
    key: str
    window: str
    closes_at: dt.datetime
    total: int
    plan: dict[str, str]


class Explanation(BaseModel):
    status: str
    send_at: dt.datetime | None
    expires_at: dt.datetime | None
    category: str
    plan: dict[str, str]
    digest: ExplainedDigest | None
    decisions: list[TraceStep]
    deliveries: list[ExplainedDelivery]


class Rejected(BaseModel):
    index: int
    code: str
    detail: str
    pointer: str


class BatchAccepted(BaseModel):
    """`accepted` counts this request's, `total_accepted` the whole batch's."""

    batch_id: UUID
    batch_token: str
    accepted: int
    rejected: list[Rejected]
    total_accepted: int


class Batch(BaseModel):
    batch_id: UUID
    status: Literal["pending", "processing", "completed", "failed", "canceled"]
    total_expected: int | None
    total_accepted: int
    counts: dict[str, int]
    created_at: dt.datetime
    updated_at: dt.datetime
