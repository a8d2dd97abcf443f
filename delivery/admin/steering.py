"""The buttons by which an operator takes an account in hand, and lets it go."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextInputWidget

from delivery.models import ProviderAccount, Steering
from delivery.steering import steer
from tenants.admin.base import OperatorAdmin, action, go_to


class WhyForm(BaseDialogForm):  # type: ignore[misc]  # django-unfold has no type information
    reason = forms.CharField(
        max_length=200, label="Why", widget=UnfoldAdminTextInputWidget, help_text="Shown with the account."
    )


class SteeredAdmin(OperatorAdmin[ProviderAccount]):
    @action(
        description="Pin",
        icon="push_pin",
        asks=(
            "Always use this account first?",
            "Before every other of its channel, whatever its health: its breaker is ignored.",
            "Pin",
        ),
        form=WhyForm,
    )
    def pin(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        return self._steer(request, object_id, Steering.PIN, form.cleaned_data["reason"])

    @action(
        description="Drain",
        icon="water_drop",
        asks=(
            "Give this account nothing new?",
            "What waits for it goes by another account or route, or waits until it is let go.",
            "Drain",
        ),
        form=WhyForm,
    )
    def drain(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        return self._steer(request, object_id, Steering.DRAIN, form.cleaned_data["reason"])

    @action(
        description="Let go",
        icon="lock_open",
        asks=("Leave it to priority, weight and health?", "It is neither pinned nor drained then.", "Let go"),
    )
    def let_go(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        return self._steer(request, object_id, None, "")

    def _steer(
        self, request: HttpRequest, object_id: str, steering: Steering | None, reason: str
    ) -> HttpResponse:
        account = self.one(request, object_id)
        steer(account, steering, by=request.user.get_username(), reason=reason)
        told = f"{account.get_steering_display() or 'let go'}"
        self.log_change(request, account, f"{told.capitalize()}. {reason}".strip())
        messages.success(request, f"{account.name} is {told}.")
        return go_to(self.page_of(object_id))
