"""What may be accepted: each request against the templates, categories and channels that there are.

Also where it is decided which version of its template a notification is pinned to.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from notifications import digests, files
from notifications.requests import NewNotification
from preferences.addresses import RecipientFields, normalize
from preferences.categories import categories
from preferences.rules import CategoryRule
from templates_app import variables
from templates_app.catalog import Choice, PublishedTemplate, Wanted, choose, published
from tenants.channels import CHANNELS, TWICE, Plain, contradictions, named, plain
from tenants.models import Tenant
from tenants.problems import FieldError, Problem

FURTHEST = dt.timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a notification was not taken. Nothing of it is stored."""

    errors: list[FieldError]


@dataclass(frozen=True, slots=True)
class Checked:
    """A notification that may be stored: the request, and what it leaves open filled in."""

    request: NewNotification
    recipient: str | RecipientFields
    choice: Choice
    channels: Sequence[Plain]
    category: CategoryRule
    send_at: dt.datetime | None
    expires_at: dt.datetime | None
    digest: Mapping[str, str | None] | None


@dataclass(frozen=True, slots=True)
class Known:
    """What a chunk of requests is checked against."""

    tenant: Tenant
    templates: Mapping[Wanted, PublishedTemplate]
    categories: Mapping[str, CategoryRule]
    now: dt.datetime


def check(
    tenant: Tenant, requests: Sequence[NewNotification], *, now: dt.datetime
) -> list[Checked | Refused]:
    """Each request against the templates, categories and channels that there are: two queries for all."""
    wanted = {(r.template, r.template_version) for r in requests if r.template is not None}
    known = Known(tenant, published(tenant.pk, wanted), categories(tenant.pk), now)
    return [_check(request, known) for request in requests]


def _check(request: NewNotification, known: Known) -> Checked | Refused:
    template = known.templates.get((request.template, request.template_version)) if request.template else None
    if request.template and template is None:
        return Refused([_no_template(request)])
    try:
        recipient = _recipient(known.tenant, request.recipient)
    except Problem as problem:
        return Refused([*_errors(request, template, known), *problem.errors])
    choice = _chosen(request, recipient, template)
    errors = _errors(request, choice.version, known)
    if errors and choice.reason == "canary":
        # It is tried on those whom it can serve; the others are no worse off for it.
        choice = Choice(template, "canary_refused")
        errors = _errors(request, template, known)
    return Refused(errors) if errors else _filled_in(request, recipient, choice, known)


def _chosen(
    request: NewNotification, recipient: str | RecipientFields, template: PublishedTemplate | None
) -> Choice:
    if template is None:
        return Choice(None, "")
    identity = _identity(recipient) if template.canary else ""
    return choose(template, number=request.template_version, recipient=identity)


def _identity(recipient: str | RecipientFields) -> str:
    """The same text for the same person, however a request names them: by an address if it has no id."""
    if isinstance(recipient, str):
        return f"user:{recipient}"
    if recipient.id:
        return f"{recipient.type}:{recipient.id}"
    r = recipient
    addresses = (
        r.email,
        r.phone,
        r.slack,
        r.discord,
        r.webhook,
        *(device.token for device in r.devices or ()),
    )
    return next((str(address) for address in addresses if address), "")


def _errors(request: NewNotification, template: PublishedTemplate | None, known: Known) -> list[FieldError]:
    channels = _channels(request, template)
    errors = [
        *files.errors(request),
        *_category_errors(_category(request, template), known.categories),
        *(_channel_errors(channels, template) if channels else _default_errors(known.tenant, template)),
        *_timing_errors(request, known.now),
        *_digest_errors(request),
    ]
    if template is not None:
        given = digests.GIVEN if _digest(request, template) else ()
        errors += (e for e in variables.errors(template, request.data) if not _is_given(e, given))
    return errors


def _digest_errors(request: NewNotification) -> Iterator[FieldError]:
    if not request.digest:
        return
    if request.template is None:
        detail = "A digest needs a template, which tells of all its events."
        yield FieldError("/digest", "digest_without_template", detail)
    if isinstance(request.recipient, RecipientFields) and not request.recipient.id:
        detail = "Only what is for a recipient with an id can be told together."
        yield FieldError("/digest", "digest_without_recipient_id", detail)


def _is_given(error: FieldError, given: Collection[str]) -> bool:
    """What planning adds to the data is not missing."""
    return error.code == "missing_variable" and error.pointer.removeprefix("/data/") in given


def _digest(request: NewNotification, template: PublishedTemplate | None) -> Mapping[str, str | None] | None:
    """How it is to be told with others, as it is stored: by the request, else by its template.

    Without a window it is told at once, in words that are made for digests.
    """
    if template is None:
        return None
    if request.digest:
        return {"key": request.digest.key or template.code, "window": request.digest.window}
    if template.digest is None:
        return None
    window = None if request.digest is False else template.digest["window"]
    return {"key": template.digest.get("key") or template.code, "window": window}


def _category(request: NewNotification, template: PublishedTemplate | None) -> str:
    return request.category or (template.category if template else "transactional")


def _channels(request: NewNotification, template: PublishedTemplate | None) -> Sequence[Plain]:
    return plain(request.channels or ()) or (template.channels if template else ())


def _filled_in(
    request: NewNotification, recipient: str | RecipientFields, choice: Choice, known: Known
) -> Checked:
    return Checked(
        request,
        recipient,
        choice,
        _channels(request, choice.version) or known.tenant.default_channels,
        known.categories[_category(request, choice.version)],
        request.sending_time(known.now),
        request.deadline(known.now),
        _digest(request, choice.version),
    )


def _recipient(tenant: Tenant, given: str | RecipientFields) -> str | RecipientFields:
    return given if isinstance(given, str) else normalize(given, tenant.country, "/recipient")


def _no_template(request: NewNotification) -> FieldError:
    version = f" with a published version {request.template_version}" if request.template_version else ""
    return FieldError(
        "/template", "template_not_found", f"There is no template {request.template!r}{version}."
    )


def _category_errors(code: str, known: Mapping[str, CategoryRule]) -> Iterator[FieldError]:
    if code not in known:
        yield FieldError("/category", "unknown_category", f"There is no category {code!r}.")


def _channel_errors(channels: Sequence[Plain], template: PublishedTemplate | None) -> Iterator[FieldError]:
    for place, channel in named(channels):
        pointer = f"/channels{place}"
        if channel not in CHANNELS:
            yield FieldError(pointer, "unknown_channel", f"There is no channel {channel!r}.")
        elif template is not None and channel not in template.content_channels:
            detail = f"Template {template.code!r} has no content for {channel}."
            yield FieldError(pointer, "channel_without_content", detail)
    for place, channel in contradictions(channels):
        yield FieldError(f"/channels{place}", "channel_named_twice", TWICE.format(channel))


def _default_errors(tenant: Tenant, template: PublishedTemplate | None) -> Iterator[FieldError]:
    """The tenant's channels are for all its templates: those without content are skipped, but not all."""
    channels = tenant.default_channels
    names = [name for _, name in named(channels)]
    if not names:
        yield FieldError("/channels", "no_channels", "Neither request, template nor tenant names a channel.")
    elif template is not None and template.content_channels.isdisjoint(names):
        detail = f"Template {template.code!r} has no content for any of the tenant's channels."
        yield FieldError("/channels", "channel_without_content", detail)
    else:
        yield from _channel_errors(channels, None)


def _timing_errors(request: NewNotification, now: dt.datetime) -> Iterator[FieldError]:
    send_at, deadline = request.sending_time(now), request.deadline(now)
    if send_at is not None and send_at > now + FURTHEST:
        field = "delay" if request.delay else "send_at"
        yield FieldError(
            f"/{field}", "too_far_ahead", "A notification can be scheduled at most a year ahead."
        )
    if deadline is not None and deadline <= (send_at or now):
        yield FieldError("/expires_at", "already_expired", "It would expire before it can be sent.")
