from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Func, IntegerField, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.timezone import localtime

from notifications import digest_closing
from notifications.models import Digest, Notification
from preferences.models import Recipient
from tenants.admin.base import STATUS_TONES, action, code, display, go_to, link, page_of
from tenants.admin.filters import TENANT_FILTER, DropdownFilter, parse_key
from tenants.admin.newest import HistoryAdmin

_COUNTED = 1_000
"""Items of a digest that a list counts at most."""
_LISTED = 50
_STATES = [("open", "open"), ("closed", "closed")]
_ASKS = (
    "Close it now?",
    "What waits in it is told at once, as one message, by the preferences and quiet hours of this moment.",
    "Close it",
)


class StateFilter(DropdownFilter):
    title, parameter_name = "state", "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return _STATES

    def queryset(self, request: HttpRequest, queryset: QuerySet[Digest]) -> QuerySet[Digest]:
        if self.value() not in dict(_STATES):
            return queryset
        return queryset.filter(closed_at__isnull=self.value() == "open")


@admin.register(Digest)
class DigestAdmin(HistoryAdmin[Digest]):
    list_display = (
        *("recipient", "state", "key_label", "window", "items", "opened", "closes", "told", "tenant"),
    )
    list_select_related = ("tenant",)
    list_filter = (StateFilter, TENANT_FILTER)
    search_help_text = "ID; of those that are open also the recipient or the key"
    fields = ()
    actions = ("close_selected",)
    actions_detail = ("close",)
    change_form_template = "notifications/admin/digest.html"

    @display(description="Recipient")
    def recipient(self, digest: Digest) -> str:
        return digest.recipient_external_id

    @display(description="State", label={"open": "info", "closed": "success", "test, open": "info"})
    def state(self, digest: Digest) -> str:
        state = "open" if digest.closed_at is None else "closed"
        return f"test, {state}" if digest.is_test else state

    @display(description="Key")
    def key_label(self, digest: Digest) -> str:
        return code(digest.key)

    @display(description="Items")
    def items(self, digest: Digest) -> str:
        found: int = digest.items  # type: ignore[attr-defined]  # counted by the list
        return f"{_COUNTED:,}+" if found > _COUNTED else f"{found:,}"

    @display(description="Opened")
    def opened(self, digest: Digest) -> str:
        return f"{localtime(digest.opened_at):%Y-%m-%d %H:%M}"

    @display(description="Closes")
    def closes(self, digest: Digest) -> str:
        return f"{localtime(digest.closed_at or digest.closes_at):%Y-%m-%d %H:%M}"

    @display(description="Told by")
    def told(self, digest: Digest) -> str:
        return link(page_of(Notification, digest.notification_id), "notification") if digest.closed_at else ""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Digest]:
        """With how many wait in each, counted no further than is shown."""
        ids = Notification.objects.filter(digest_id=OuterRef("pk")).values("pk")[: _COUNTED + 1]
        items = Func(ArraySubquery(ids), function="cardinality", output_field=IntegerField())
        return super().get_queryset(request).annotate(items=items)

    def exact_search(self, queryset: QuerySet[Digest], term: str) -> QuerySet[Digest]:
        if (key := parse_key(term)) is not None:
            return queryset.filter(pk=key)
        return queryset.filter(Q(recipient_external_id=term) | Q(key=term), closed_at=None)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        actions: list[Any] = super().get_actions_detail(request, object_id)  # type: ignore[misc]  # unfold's
        digest = self.get_object(request, str(object_id))
        return actions if digest is not None and digest.closed_at is None else []

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        digest = self.get_object(request, object_id)
        shown = {} if digest is None else {**_shown(digest), "items": self.items(digest)}
        return super().change_view(request, object_id, form_url, {**shown, **(extra_context or {})})

    @action(description="Close now", icon="send", asks=_ASKS)
    def close(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        self._close(request, [self.one(request, object_id)])
        return go_to(self.page_of(object_id))

    @admin.action(description="Close now", permissions=["operate"])
    def close_selected(self, request: HttpRequest, queryset: QuerySet[Digest]) -> None:
        self._close(request, queryset)

    def _close(self, request: HttpRequest, chosen: Iterable[Digest]) -> None:
        closed = 0
        for digest in chosen:
            if digest_closing.close(digest.tenant_id, [digest.pk], now=timezone.now(), early=True):
                self.log_change(request, digest, "Closed before its time.")
                closed += 1
        if closed:
            messages.success(request, f"Closed: {closed}. Each is a notification now.")
        else:
            messages.warning(request, "None of these was open any more.")


def _shown(digest: Digest) -> dict[str, Any]:
    """With its newest events, and what tells it. Three queries, each by index."""
    events = Notification.objects.filter(digest_id=digest.pk).defer("trace", "overrides").order_by("-pk")
    known = Recipient.objects.filter(
        tenant=digest.tenant_id, type=digest.recipient_type, external_id=digest.recipient_external_id
    )
    telling = (
        Notification.objects.filter(pk=digest.notification_id).first() if digest.notification_id else None
    )
    return {
        "digest": digest,
        "events": [{"row": row, "tone": STATUS_TONES.get(row.status, "")} for row in events[:_LISTED]],
        "person": known.first(),
        "telling": telling,
        "tone": STATUS_TONES.get(telling.status, "") if telling else "",
    }
