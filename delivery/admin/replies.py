from __future__ import annotations

from django.contrib import admin
from django.utils.timezone import localtime

from delivery.models import Reply
from preferences.admin.addresses import shown
from tenants.admin.base import display
from tenants.admin.filters import TENANT_FILTER, CreatedFilter
from tenants.admin.newest import HistoryAdmin


@admin.register(Reply)
class ReplyAdmin(HistoryAdmin[Reply]):
    """What recipients wrote back, and what was understood."""

    list_display = ("masked", "channel", "text", "wish_label", "tenant", "occurred")
    list_select_related = ("tenant",)
    list_filter = (TENANT_FILTER, ("created_at", CreatedFilter))
    fields = (("masked", "channel", "to"), "text", ("wish_label", "tenant"), ("occurred", "created_at"))
    readonly_fields = ("masked", "wish_label", "occurred")
    search_help_text = "ID of a reply"

    @display(description="From")
    def masked(self, reply: Reply) -> str:
        return shown(reply.channel, reply.sender)

    @display(description="Understood as", label={"stop": "danger", "start": "success"})
    def wish_label(self, reply: Reply) -> str:
        return reply.wish

    @display(description="Written")
    def occurred(self, reply: Reply) -> str:
        return localtime(reply.occurred_at).strftime("%Y-%m-%d %H:%M:%S")
