from __future__ import annotations

from typing import Any

import orjson
from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.contrib.filters.admin import ChoicesDropdownFilter, MultipleChoicesDropdownFilter

from notifications.admin import trials
from notifications.admin.timeline import timeline
from notifications.cancellation import cancel
from notifications.models import OPEN, Notification
from notifications.reading import detail
from preferences.models import Category
from tenants.admin.base import STATUS_TONES, action, code, display, go_to
from tenants.admin.filters import TENANT_FILTER, CreatedFilter, DropdownFilter, parse_key
from tenants.admin.newest import HistoryAdmin
from tenants.channels import read

_PRIORITY_TONES = {"urgent": "danger", "high": "warning"}
_CATEGORIES_AT_MOST = 500


class CategoryFilter(DropdownFilter):
    title, parameter_name = "category", "category"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        codes = Category.objects.order_by("code").values_list("code", flat=True).distinct()
        return [(known, known) for known in codes[:_CATEGORIES_AT_MOST]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Notification]) -> QuerySet[Notification]:
        return queryset.filter(category=self.value()) if self.value() else queryset


@admin.register(Notification)
class NotificationAdmin(HistoryAdmin[Notification]):
    list_display = (
        *("recipient", "status_label", "template", "category", "priority_label", "reason", "tenant"),
        *("reference", "created"),
    )
    list_select_related = ("tenant",)
    list_filter = (
        ("status", MultipleChoicesDropdownFilter),
        CategoryFilter,
        ("priority", ChoicesDropdownFilter),
        TENANT_FILTER,
        ("created_at", CreatedFilter),
    )
    search_help_text = "ID, reference or recipient, exactly"
    fields = ()
    actions_detail = ("cancel",)
    change_form_template = "notifications/admin/notification.html"

    @display(description="Recipient")
    def recipient(self, notification: Notification) -> str:
        return notification.recipient_external_id or "(described in the request)"

    @display(description="Status", label=STATUS_TONES)
    def status_label(self, notification: Notification) -> str:
        return notification.status

    @display(description="Template")
    def template(self, notification: Notification) -> str:
        return code(notification.template_code) if notification.template_code else "ready content"

    @display(description="Priority", label=_PRIORITY_TONES)
    def priority_label(self, notification: Notification) -> str:
        return notification.get_priority_display().lower()

    def get_urls(self) -> list[Any]:
        return [*trials.urls(), *super().get_urls()]

    def exact_search(self, queryset: QuerySet[Notification], term: str) -> QuerySet[Notification]:
        key = parse_key(term)
        named = Q(reference=term) | Q(recipient_external_id=term)
        return queryset.filter(named if key is None else named | Q(pk=key))

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        actions: list[Any] = super().get_actions_detail(request, object_id)  # type: ignore[misc]  # unfold's
        notification = self.get_object(request, str(object_id))
        return actions if notification and notification.status in OPEN else []

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        notification = self.get_object(request, object_id)
        shown = {} if notification is None else _shown(notification)
        return super().change_view(request, object_id, form_url, {**shown, **(extra_context or {})})

    @action(
        description="Cancel",
        icon="cancel",
        danger=True,
        asks=(
            "Cancel this notification?",
            "What has left already stays sent; the rest is not sent.",
            "Cancel it",
        ),
    )
    def cancel(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        notification = self.one(request, object_id)
        if cancel(notification.tenant_id, notification.pk):
            self.log_change(request, notification, "Canceled.")
            messages.success(request, "Canceled: what had not left will not be sent.")
        else:
            messages.warning(request, "There was nothing left to cancel.")
        return go_to(self.page_of(object_id))


def _shown(notification: Notification) -> dict[str, Any]:
    """The notification with its deliveries and its story: three queries, each by index."""
    document = detail(notification)
    for delivery in document["deliveries"]:
        delivery["tone"] = STATUS_TONES.get(delivery["status"], "")
        delivery["shown"] = "the feed" if delivery["channel"] == "in_app" else delivery["address"]
    return {
        "notification": notification,
        "tone": STATUS_TONES.get(notification.status, ""),
        "document": document,
        "timeline": timeline(document["trace"]),
        "chains": [str(read(entry)) for entry in notification.channels],
        "json": {
            name: orjson.dumps(document[name], option=orjson.OPT_INDENT_2).decode()
            for name in ("data", "content", "action", "metadata")
            if document[name]
        },
    }
