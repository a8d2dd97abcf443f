from __future__ import annotations

import time
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html
from unfold.contrib.filters.admin import BooleanRadioFilter

from delivery import loop
from delivery.account_state import TONES, figures, page_state, state_of
from delivery.accounts import instance, snapshot
from delivery.admin.account_form import account_form
from delivery.admin.setting_fields import FORGET, PREFIX
from delivery.admin.steering import SteeredAdmin
from delivery.intervening import unpark
from delivery.models import ProviderAccount
from delivery.providers.base import Provider, ProviderError, ProviderMisconfigured, elapsed_ms
from delivery.registry import UnknownProvider, provider, providers
from delivery.vitals import Vitals, last_hour
from preferences.channels import CHANNELS
from tenants.admin.base import action, display, go_to
from tenants.admin.filters import TENANT_FILTER


@admin.register(ProviderAccount)
class ProviderAccountAdmin(SteeredAdmin):
    """First the provider is chosen, then its Settings model makes the form. Secrets go in and never out."""

    list_display = (
        "name",
        "channel",
        "provider_label",
        "owner",
        "health_label",
        "hour",
        "share",
        "rate",
        "enabled",
        "sandbox",
    )
    list_select_related = ("tenant",)
    list_filter = (TENANT_FILTER, ("is_enabled", BooleanRadioFilter), ("is_sandbox", BooleanRadioFilter))
    search_fields = ("name", "provider")
    autocomplete_fields = ("tenant",)
    actions_detail = ("check_connection", "pin", "drain", "let_go")
    actions_submit_line = ("save_and_check",)
    change_form_before_template = "delivery/admin/account_state.html"

    @display(description="Provider")
    def provider_label(self, account: ProviderAccount) -> str:
        found = providers().get((account.channel, account.provider))
        return (found.label or found.name) if found else f"{account.provider} (not installed)"

    @display(description="Owner")
    def owner(self, account: ProviderAccount) -> str:
        return account.tenant.name if account.tenant else "the installation"

    @display(description="Health", label=TONES)
    def health_label(self, account: ProviderAccount) -> tuple[str, str]:
        state = state_of(account)
        return state["word"], f"{state['percent']} % {state['word']}"

    @display(description="Last hour")
    def hour(self, account: ProviderAccount) -> str:
        vitals: Vitals | None = getattr(account, "vitals", None)
        if vitals is None:
            return "no calls"
        return format_html('<span class="whitespace-nowrap">{}<br>{}</span>', *figures(vitals))

    @display(description="Order", ordering="priority")
    def share(self, account: ProviderAccount) -> str:
        weight = round(snapshot(account).weight_now(timezone.now()))
        now = "" if weight == account.weight else f" (now {weight})"
        order = f"{account.priority}, weight {account.weight}{now}"
        return format_html('<span class="whitespace-nowrap">{}</span>', order)

    @display(description="Rate")
    def rate(self, account: ProviderAccount) -> str:
        return f"{account.rate_per_second}/s" if account.rate_per_second else "—"

    @display(description="Enabled", boolean=True)
    def enabled(self, account: ProviderAccount) -> bool:
        return account.is_enabled

    @display(description="Test keys", boolean=True)
    def sandbox(self, account: ProviderAccount) -> bool:
        return account.is_sandbox

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """With the last hour of all the page's accounts, by one look."""
        page = super().get_changelist_instance(request)
        found = last_hour([account.pk for account in page.result_list])
        for account in page.result_list:
            account.vitals = found.get(account.pk)
        return page

    def save_model(self, request: HttpRequest, obj: ProviderAccount, form: Any, change: bool) -> None:
        """What waited for such an account is tried again at once."""
        super().save_model(request, obj, form, change)
        transaction.on_commit(partial(unpark, obj.channel, obj.tenant_id))

    def get_form(
        self, request: HttpRequest, obj: ProviderAccount | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """`fields` of the model only: the settings' own fields are declared by the form class."""
        kwargs["form"] = account_form(chosen_provider(request, obj), obj)
        kwargs["fields"] = [
            *("tenant", "name", "priority", "weight", "rate_per_second", "is_enabled", "is_sandbox")
        ]
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: ProviderAccount | None = None) -> Any:
        found = chosen_provider(request, obj)
        form = account_form(found, obj)
        settings = [name for name in form.base_fields if name.startswith((PREFIX, FORGET))]
        return (
            (None, {"fields": (("name", "tenant"),)}),
            (f"{_title(found)} settings" if found else "Settings", {"fields": settings}),
            (
                "Routing",
                {"fields": (("priority", "weight", "rate_per_second"), ("is_enabled", "is_sandbox"))},
            ),
        )

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        found = chosen_provider(request, None)
        if found is None:
            return self._choose(request)
        context = {"title": f"New {_title(found)} account", **(extra_context or {})}
        return super().add_view(request, form_url, context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        account = self.get_object(request, object_id)
        state = {"state": page_state(account)} if account else {}
        return super().change_view(request, object_id, form_url, {**state, **(extra_context or {})})

    def _choose(self, request: HttpRequest) -> HttpResponse:
        """The first step: which provider."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": "Which provider?",
            "opts": self.opts,
            "channels": _by_channel(),
        }
        return TemplateResponse(request, "delivery/admin/choose_provider.html", context)

    @action(
        description="Test connection",
        icon="network_check",
        asks=(
            "Test the connection?",
            "Carillon signs in with the settings as they are saved. Nothing is sent to anybody.",
            "Test",
        ),
    )
    def check_connection(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        report(request, self.one(request, object_id))
        return go_to(self.page_of(object_id))

    @action(description="Save and test connection", icon="network_check")
    def save_and_check(self, request: HttpRequest, account: ProviderAccount) -> None:
        """After the commit: no transaction is held across the call."""
        transaction.on_commit(partial(report, request, account))


def chosen_provider(request: HttpRequest, account: ProviderAccount | None) -> type[Provider] | None:
    """The account's provider, or for a new one that of `?provider=sms:twilio`; None when there is none."""
    named = f"{account.channel}:{account.provider}" if account else request.GET.get("provider", "")
    channel, _, name = named.partition(":")
    try:
        found = provider(channel, name)
    except UnknownProvider:
        return None
    return found if found.needs_account else None


def report(request: HttpRequest, account: ProviderAccount) -> None:
    """Check the account and say in a message how that went."""
    begun = time.perf_counter()
    try:
        loop.run(instance(account, provider(account.channel, account.provider)).check())
    except ProviderError as error:
        told = f"{error.code}: {error.message}" if error.code else error.message
        messages.error(request, f"{account.name}: {told} ({error.kind.value} error)")
    except (ProviderMisconfigured, UnknownProvider) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{account.name} answered: connected in {elapsed_ms(begun)} ms.")


def _title(found: type[Provider]) -> str:
    return found.label or found.name


def _by_channel() -> list[tuple[str, list[dict[str, str]]]]:
    """What can have an account, in the order people name the channels."""
    able = [found for found in providers().values() if found.needs_account]
    tiles = [{"channel": found.channel, "name": found.name, "title": _title(found)} for found in able]
    grouped = ((channel, [tile for tile in tiles if tile["channel"] == channel]) for channel in CHANNELS)
    return [(channel, found) for channel, found in grouped if found]
