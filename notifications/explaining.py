"""What would happen, without its happening: the real intake and plan, in a transaction that is undone."""

from __future__ import annotations

from dataclasses import asdict, replace
from random import Random
from typing import Any

from django.db import transaction
from django.utils import timezone

from delivery import packing, queue, text_messages
from delivery.accounts import Accounts
from delivery.links import links_of
from delivery.providers.base import Content
from delivery.queue import Leg
from delivery.routing import Account, Choice, choose
from delivery.settlement import SEEN_COUNTS, onward
from notifications import digest_closing, files, planning
from notifications.intake import Accepted, Refused, accept_one, refusal
from notifications.models import Notification, NotificationStatus
from notifications.reading import digest_of
from notifications.requests import NewNotification
from preferences.addresses import mask
from tenants.context import tenant_scope
from tenants.models import Tenant


def explain(tenant: Tenant, request: NewNotification, *, is_test: bool = False) -> dict[str, Any]:
    """Every decision with its reason, and the words for each route. Raises the problem that `send` would."""
    with tenant_scope(tenant.pk):
        accepted = accept_one(tenant, _without_files(request), is_test=is_test)
        Notification.objects.filter(pk=accepted.id).update(status=NotificationStatus.ACCEPTED)
        planning.plan(tenant.pk, [accepted.id])
        answer = _answer(tenant, accepted, Notification.objects.get(pk=accepted.id))
        transaction.set_rollback(True)
    return answer


def _without_files(request: NewNotification) -> NewNotification:
    """Storage knows no transaction that could be undone."""
    if not files.given(request):
        return request
    for error in files.errors(request):
        raise refusal(Refused([error]))
    assert request.overrides is not None
    assert request.overrides.email is not None
    email = request.overrides.email.model_copy(update={"attachments": None})
    return request.model_copy(update={"overrides": request.overrides.model_copy(update={"email": email})})


def _told(tenant: Tenant, notification: Notification) -> tuple[dict[str, Any] | None, Notification]:
    """The digest that it waits in, and what would tell it if that closed now; else nothing, and itself."""
    digest = digest_of(notification)
    if digest is None:
        return None, notification
    (telling,) = digest_closing.tell(tenant.pk, [digest.pk], now=timezone.now())
    planning.plan(tenant.pk, [telling.id])
    told = Notification.objects.get(pk=telling.id)
    return {
        "id": digest.pk if digest.opened_at < notification.created_at else None,
        "key": digest.key,
        "window": digest.window,
        "closes_at": digest.closes_at,
        "total": told.data["total"],
        "plan": {"status": told.status, "reason": told.reason},
    }, told


def _answer(tenant: Tenant, accepted: Accepted, notification: Notification) -> dict[str, Any]:
    digest, told = _told(tenant, notification)
    legs = queue.legs_of(told.pk)
    reads = any(leg.routes[0][0] == "in_app" for leg in legs)
    places = {leg.id: place for place, leg in enumerate(legs)}
    accounts = Accounts.of(
        tenant.pk, {channel for leg in legs for channel, _ in leg.routes}, tenant.account_order
    )
    return {
        "status": accepted.status,
        "send_at": accepted.send_at,
        "expires_at": notification.expires_at,
        "category": notification.category,
        "plan": {"status": notification.status, "reason": notification.reason},
        "digest": digest,
        "decisions": notification.trace if told is notification else notification.trace + told.trace,
        "deliveries": [
            {
                "rings_with": None if leg.rings_with is None else places[leg.rings_with],
                "held": _held(leg),
                "routes": [_route(leg, place, accounts, tenant, reads) for place in range(len(leg.routes))],
            }
            for leg in legs
        ],
    }


def _held(leg: Leg) -> dict[str, Any] | None:
    """Why it would not leave at once, and when it would."""
    return {"reason": leg.reason, "until": leg.due_at} if leg.reason else None


def _route(leg: Leg, place: int, accounts: Accounts, tenant: Tenant, reads: bool) -> dict[str, Any]:
    """`reads`: the recipient may also read the notification in the feed."""
    channel, address = leg.routes[place]
    candidates = accounts.candidates(channel, address, is_test=leg.is_test)
    choice = choose(candidates, now=timezone.now(), random=Random(0))
    by_it = replace(leg, channel=channel, address=address)
    (words,) = packing.render(links_of([by_it], tenant), tenant)
    segments = text_messages.segments(by_it, words, tenant)
    waits = _wait(leg, place)
    return {
        "channel": channel,
        "address": mask(channel, address),
        "waits": waits,
        "hint": _hint(accounts, choice.account, waits, reads) if isinstance(choice, Choice) else None,
        "account": choice.account.name if isinstance(choice, Choice) else None,
        "account_reason": choice.reason,
        "content": asdict(words) if isinstance(words, Content) else None,
        "segments": None if segments is None else asdict(segments),
        "error": None if isinstance(words, Content) else {"code": words.code, "detail": str(words)},
    }


def _wait(leg: Leg, place: int) -> dict[str, Any] | None:
    """How long the route has before the next channel's turn, and what stops that."""
    if leg.within is None or onward(leg.routes, place) is None:
        return None
    return {"seconds": leg.within, "unless": "seen" if leg.routes[place][0] in SEEN_COUNTS else "delivered"}


def _hint(
    accounts: Accounts, account: Account, waits: dict[str, Any] | None, reads: bool
) -> dict[str, str] | None:
    """That the account tells nothing of its messages, and what it means for a channel that waits for that."""
    silence = accounts.silence(account)
    if not silence:
        return None
    if waits is None:
        so = "'sent' is the last that will be known"
    elif reads and waits["unless"] == "seen":
        so = "only reading it in the feed stops the next channel"
    else:
        so = f"the next channel is used after {waits['seconds']} s in any case"
    return {"code": "no_receipts", "detail": f"{account.name}: {silence}, so {so}."}
