"""A message to oneself: a wording, published or not, by the ordinary way and a real account of the tenant.

It goes out as ready content, so what counts a template's deliveries by its version never meets it, and
`metadata.test_send` says whose it was. It does not spend what a test key would: `is_test` means the sandbox.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from pydantic import ValidationError

from notifications import reading
from notifications.intake import Accepted, accept_one
from notifications.models import OPEN, Notification
from notifications.requests import NewNotification
from preferences.addresses import ADDRESS_FIELD, RecipientFields, mask
from templates_app.models import TemplateVersion
from templates_app.overrides import said
from templates_app.previewing import Preview, proof, received
from templates_app.proofreading import Subject
from templates_app.publishing import drafts_of
from templates_app.shapes import shape
from templates_app.workshop import RenderError, Words
from tenants.context import tenant_scope
from tenants.models import Tenant
from tenants.problems import FieldError, Problem
from tenants.throttling import window

logger = logging.getLogger(__name__)

PER_MINUTE = 10
"""Tests that one operator may send, whatever the template."""
PREFIX = "[Test] "
_LOOKS_EVERY = 0.1


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be sent where. `to` is the channel's own kind of address, a recipient's id for in_app.

    Empty it is the operator's own email address. `data` None are the version's sample data. `prefix` goes
    before the subject, or the title where there is no subject.
    """

    channel: str
    to: str = ""
    locale: str = ""
    data: Mapping[str, Any] | None = None
    prefix: str = PREFIX


def send_test(by: User, tenant: Tenant, version: TemplateVersion, wish: Wish) -> Accepted:
    """Raises the problem that it has: too many, no address, no words. Outside of a transaction."""
    _within_limit(by)
    to = wish.to.strip() or (by.email if wish.channel == "email" else "")
    if not to:
        raise _problem("/to", "address_required", f"Say which address by {wish.channel} it is to go to.")
    shown = _shown(tenant, version, wish)
    assert shown.words is not None
    accepted = _accepted(tenant, _request(by, version, shown, to, wish))
    _write_down(by, version, wish.channel, to)
    return accepted


def outcome(tenant_id: UUID, id: UUID, *, within: float) -> dict[str, Any]:
    """What became of it, as `reading.detail` has it, once it has left or failed, or after so many seconds."""
    until = time.monotonic() + within
    while True:
        with tenant_scope(tenant_id):
            row = Notification.objects.get(pk=id, tenant_id=tenant_id)
            if row.status not in OPEN or time.monotonic() >= until:
                return reading.detail(row)
        time.sleep(_LOOKS_EVERY)


def _within_limit(by: User) -> None:
    allowed, limit = window().hit("test-send", str(by.pk), per_minute=PER_MINUTE)
    if not allowed:
        detail = f"You sent {PER_MINUTE} tests within a minute: wait a little."
        raise Problem(429, "rate_limited", detail, retry_after=limit.reset_in if limit else 60)


def _shown(tenant: Tenant, version: TemplateVersion, wish: Wish) -> Preview:
    """The words in the locale that a recipient would get."""
    with tenant_scope(tenant.pk):
        drafts = [draft for draft in drafts_of(version) if draft.channel == wish.channel]
    best = received(drafts, locale=wish.locale or tenant.locale, fallback_locale=tenant.locale)
    if not best:
        detail = f"This version has nothing for {wish.channel}."
        raise _problem("/channel", "template_missing_content", detail)
    subject = Subject.of(version, best)
    (shown,) = proof(subject if wish.data is None else replace(subject, data=wish.data)).previews
    if isinstance(shown.error, RenderError):
        pointer = "/data" if shown.error.code == "missing_variable" else "/channel"
        raise _problem(pointer, shown.error.code, shown.error.message)
    return shown


def _request(by: User, version: TemplateVersion, shown: Preview, to: str, wish: Wish) -> NewNotification:
    assert shown.words is not None
    words = _marked(shown.words, wish.prefix)
    parts = {part: getattr(words, part) for part in ("subject", "title", "body", "html")}
    about = {"by": by.get_username(), "template": version.template.code, "version": version.number}
    recipient = _recipient(shown.channel, shown.locale, to)
    try:
        return NewNotification.model_validate(
            {
                "recipient": recipient,
                "content": parts,
                "channels": [[shown.channel]],  # a chain of one: the tenant's own chain is not for tests
                "category": version.template.category,
                "priority": "urgent",
                "overrides": {shown.channel: _overrides(shown.channel, words)},
                "metadata": {"test_send": about},
            }
        )
    except ValidationError as error:
        raise _unsound("/channel", error) from None


def _marked(words: Words, prefix: str) -> Words:
    if words.subject:
        return words._replace(subject=f"{prefix}{words.subject}")
    return words._replace(title=f"{prefix}{words.title}") if words.title else words


def _overrides(channel: str, words: Words) -> Mapping[str, Any]:
    """Slack's blocks are given, for ready content may not link and mention there, and a template may."""
    own = said(channel, words.overrides)
    if channel != "slack" or "blocks" in own:
        return own
    return {**own, "blocks": shape(channel, words)["blocks"]}


def _recipient(channel: str, locale: str, to: str) -> str | RecipientFields:
    """Somebody of the directory by their id, or an address that is used this once."""
    if channel == "in_app":
        return to
    address = {"devices": [to]} if channel == "push" else {ADDRESS_FIELD[channel]: to}
    try:
        return RecipientFields.model_validate({"locale": locale, **address})
    except ValidationError as error:
        raise _unsound("/to", error) from None


def _accepted(tenant: Tenant, request: NewNotification) -> Accepted:
    try:
        return accept_one(tenant, request)
    except Problem as problem:
        errors = [
            replace(e, pointer="/to" if "recipient" in e.pointer else "/channel") for e in problem.errors
        ]
        raise Problem(problem.status_code, problem.code, problem.text, errors=errors) from None


def _write_down(by: User, version: TemplateVersion, channel: str, to: str) -> None:
    """Who sent what where, in the log that the admin site keeps of what operators do."""
    message = f"Sent a test by {channel} to {mask(channel, to)}."
    LogEntry.objects.log_actions(by.pk, [version], CHANGE, change_message=message, single_object=True)
    about = {"user": by.pk, "tenant": version.tenant_id, "template_version": version.pk}
    logger.info("a test is sent", extra=about)


def _unsound(pointer: str, error: ValidationError) -> Problem:
    first = error.errors()[0]
    return _problem(pointer, first["type"], first["msg"], status=400)


def _problem(pointer: str, code: str, detail: str, *, status: int = 422) -> Problem:
    return Problem(status, code, detail, errors=[FieldError(pointer, code, detail)])
