from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.contrib.filters.admin import MultipleChoicesDropdownFilter

from delivery.dead_letters import retry_many
from delivery.models import Attempt, Delivery, DeliveryStatus, ProviderAccount, Receipt
from preferences.admin.addresses import shown
from preferences.channels import CHANNELS
from tenants.admin.base import STATUS_TONES, action, display, go_to, link, page_of
from tenants.admin.filters import TENANT_FILTER, CreatedFilter, DropdownFilter, TextFilter, parse_key
from tenants.admin.newest import HistoryAdmin

_ACCOUNTS_AT_MOST = 500


class ChannelFilter(DropdownFilter):
    title, parameter_name = "channel", "channel"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(channel, channel) for channel in CHANNELS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        return queryset.filter(channel=self.value()) if self.value() else queryset


class AccountFilter(DropdownFilter):
    title, parameter_name = "provider account", "account"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        known = ProviderAccount.objects.order_by("name").values_list("pk", "name", "tenant__slug")
        return [(str(pk), f"{name} · {slug or 'all'}") for pk, name, slug in known[:_ACCOUNTS_AT_MOST]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        key = parse_key(self.value() or "")
        return queryset if key is None else queryset.filter(account_id=key)


class ReasonFilter(TextFilter):
    title, parameter_name = "reason", "reason"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        wanted = (self.value() or "").strip()
        return queryset.filter(reason=wanted) if wanted else queryset


@admin.register(Delivery)
class DeliveryAdmin(HistoryAdmin[Delivery]):
    list_display = (
        "masked",
        "channel",
        "status_label",
        "reason",
        "tenant",
        "attempts",
        "notification",
        "created",
    )
    list_select_related = ("tenant",)
    list_filter = (
        ("status", MultipleChoicesDropdownFilter),
        ChannelFilter,
        ReasonFilter,
        TENANT_FILTER,
        AccountFilter,
        ("created_at", CreatedFilter),
    )
    search_help_text = "ID of a delivery or of its notification"
    fields = ()
    actions = ("retry_selected",)
    actions_detail = ("retry",)
    change_form_template = "delivery/admin/delivery.html"

    @display(description="To")
    def masked(self, delivery: Delivery) -> str:
        return shown(delivery.channel, delivery.address)

    @display(description="Status", label=STATUS_TONES)
    def status_label(self, delivery: Delivery) -> str:
        return delivery.status

    @display(description="Attempts")
    def attempts(self, delivery: Delivery) -> int:
        return delivery.attempt

    @display(description="Notification")
    def notification(self, delivery: Delivery) -> str:
        return link(page_of("notifications.notification", delivery.notification_id), "open")

    def exact_search(self, queryset: QuerySet[Delivery], term: str) -> QuerySet[Delivery]:
        key = parse_key(term)
        return queryset.none() if key is None else queryset.filter(Q(pk=key) | Q(notification_id=key))

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        actions: list[Any] = super().get_actions_detail(request, object_id)  # type: ignore[misc]  # unfold's
        delivery = self.get_object(request, str(object_id))
        return actions if delivery and delivery.status == DeliveryStatus.FAILED else []

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        delivery = self.get_object(request, object_id)
        known = {} if delivery is None else _shown(delivery)
        return super().change_view(request, object_id, form_url, {**known, **(extra_context or {})})

    @action(
        description="Retry",
        icon="replay",
        asks=(
            "Retry this delivery?",
            "It starts again at its first route, with every account.",
            "Retry",
        ),
    )
    def retry(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        self._retry(request, Delivery.objects.filter(pk=self.one(request, object_id).pk))
        return go_to(self.page_of(object_id))

    @admin.action(description="Retry selected dead letters…", permissions=["operate"])
    def retry_selected(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> HttpResponse | None:
        dead = queryset.filter(status=DeliveryStatus.FAILED)
        if request.POST.get("confirmed"):
            self._retry(request, dead)
            return None
        rows = list(dead.select_related("tenant")[: self.list_per_page])
        if not rows:
            messages.warning(request, "None of the selected deliveries is a dead letter.")
            return None
        return self._confirm(request, rows, selected=len(request.POST.getlist(helpers.ACTION_CHECKBOX_NAME)))

    def _retry(self, request: HttpRequest, dead: QuerySet[Delivery]) -> None:
        rows = list(dead)
        count = retry_many(rows)
        for row in rows:
            self.log_change(request, row, "Retried.")
        say = messages.success if count else messages.warning
        say(request, f"{count} {'delivery' if count == 1 else 'deliveries'} put back in the queue.")

    def _confirm(self, request: HttpRequest, rows: list[Delivery], *, selected: int) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": f"Retry {len(rows)} dead {'letter' if len(rows) == 1 else 'letters'}?",
            "opts": self.opts,
            "rows": [{"delivery": row, "masked": shown(row.channel, row.address)} for row in rows],
            "others": selected - len(rows),
            "checkbox": helpers.ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "delivery/admin/retry_confirmation.html", context)


def _shown(delivery: Delivery) -> dict[str, Any]:
    """Its routes, attempts and receipts: two queries, each by index."""
    attempts = list(Attempt.objects.filter(delivery_id=delivery.pk).order_by("started_at", "pk"))
    reached = len(delivery.routes) if delivery.status == DeliveryStatus.FAILED else delivery.route
    routes = [
        {
            "channel": channel,
            "masked": shown(channel, address),
            "state": "spent" if place < reached else "now" if place == reached else "next",
        }
        for place, (channel, address) in enumerate(delivery.routes)
    ]
    return {
        "delivery": delivery,
        "tone": STATUS_TONES.get(delivery.status, ""),
        "masked": shown(delivery.channel, delivery.address),
        "routes": routes,
        "attempts": attempts,
        "receipts": list(Receipt.objects.filter(delivery_id=delivery.pk).order_by("received_at", "pk")),
    }
