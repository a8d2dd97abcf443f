"""The page that sends a wording to oneself, and then says what became of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from notifications.models import Notification
from notifications.trials import PREFIX, Wish, outcome, send_test
from templates_app.admin.contents import ReadableJSON
from templates_app.models import TemplateVersion
from tenants.admin.base import STATUS_TONES
from tenants.admin.filters import parse_key
from tenants.problems import Problem

_PATIENCE = 5.0
"""Seconds that the page waits for what becomes of it."""


_FIELDS = {"/channel": "channel", "/to": "to", "/data": "sample"}


class TrialForm(forms.Form):
    channel = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    locale = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    to = forms.CharField(
        required=False,
        max_length=4096,
        widget=UnfoldAdminTextInputWidget,
        help_text="An address of that channel; for the bell a recipient's id. Empty: your own email address.",
    )
    mark = forms.CharField(
        required=False,
        strip=False,
        max_length=40,
        initial=PREFIX,
        widget=UnfoldAdminTextInputWidget,
        help_text="Before the subject or the title, so that nobody takes it for the real one.",
    )
    sample = ReadableJSON(
        label="Data", required=False, widget=UnfoldAdminTextareaWidget({"rows": 8, "class": "c-source"})
    )

    def __init__(self, *args: Any, version: TemplateVersion, **options: Any) -> None:
        super().__init__(*args, **options)
        contents = list(version.contents.all())
        self.fields["channel"].choices = _choices(content.channel for content in contents)  # type: ignore[attr-defined]
        self.fields["locale"].choices = _choices(content.locale for content in contents)  # type: ignore[attr-defined]
        self.initial = {"channel": "email", "locale": version.tenant.locale, "sample": version.sample_data}

    def clean_sample(self) -> dict[str, Any]:
        data = self.cleaned_data["sample"] or {}
        if not isinstance(data, dict):
            raise forms.ValidationError("The data are a JSON object.")
        return data

    def wish(self) -> Wish:
        said = self.cleaned_data
        return Wish(said["channel"], said["to"], said["locale"], said["sample"], said["mark"])

    def blame(self, problem: Problem) -> None:
        """At the field that the problem points at."""
        for error in problem.errors:
            self.add_error(_FIELDS.get(error.pointer), error.detail)
        if not problem.errors:
            self.add_error(None, problem.text)


def _choices(values: Any) -> list[tuple[str, str]]:
    return [(value, value) for value in sorted(set(values))]


def urls() -> list[URLPattern]:
    view = admin.site.admin_view(page)
    return [path("test-send/<uuid:version_id>/", view, name="notifications_trial")]


def page(request: HttpRequest, version_id: UUID) -> HttpResponse:
    """A sent test is looked at by another address, so that to look again sends nothing."""
    if not request.user.has_perm("templates_app.change_template"):
        raise PermissionDenied
    rows = TemplateVersion.objects.select_related("template", "tenant").prefetch_related("contents")
    version = get_object_or_404(rows, pk=version_id)
    form = TrialForm(request.POST or None, version=version)
    if request.method == "POST" and form.is_valid():
        assert isinstance(request.user, User)
        try:
            sent = send_test(request.user, version.tenant, version, form.wish())
            return HttpResponseRedirect(
                f"{reverse('admin:notifications_trial', args=[version.pk])}?sent={sent.id}"
            )
        except Problem as problem:
            form.blame(problem)
    return TemplateResponse(request, "notifications/admin/trial.html", _context(request, version, form))


def _context(request: HttpRequest, version: TemplateVersion, form: TrialForm) -> dict[str, Any]:
    return {
        **admin.site.each_context(request),
        "title": "Send a test",
        "opts": TemplateVersion._meta,
        "version": version,
        "form": form,
        "own_address": getattr(request.user, "email", ""),
        "sent": _sent(request, version),
    }


def _sent(request: HttpRequest, version: TemplateVersion) -> dict[str, Any] | None:
    id = parse_key(request.GET.get("sent", ""))
    if request.method == "POST" or id is None:
        return None
    row = Notification.objects.filter(pk=id, tenant_id=version.tenant_id).first()
    if row is None or "test_send" not in row.metadata:
        return None
    told = outcome(version.tenant_id, row.pk, within=_PATIENCE)
    return {**told, "tone": STATUS_TONES.get(told["status"], "")}
