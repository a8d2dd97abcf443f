"""A recipient's page, with what only this part of the house can do: tell all that is kept, and forget it."""

from __future__ import annotations

import logging
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import reverse
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextInputWidget

from notifications import erasure, exporting
from notifications.admin.overview import overview
from preferences.admin.recipients import DeviceInline, PreferenceInline, RecipientAdmin
from preferences.models import Preference, Recipient
from templates_app.models import Template
from tenants.admin.base import action, go_to

logger = logging.getLogger(__name__)

admin.site.unregister(Recipient)


class TypeTheIdForm(BaseDialogForm):  # type: ignore[misc]  # django-unfold has no type information
    typed = forms.CharField(
        max_length=255, label="Type the recipient's ID", widget=UnfoldAdminTextInputWidget
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.recipient_id = str(kwargs["object_id"])

    def clean_typed(self) -> str:
        typed: str = self.cleaned_data["typed"]
        if not Recipient.objects.filter(pk=self.recipient_id, external_id=typed).exists():
            raise forms.ValidationError("This is not the ID of this recipient.")
        return typed


class SwitchInline(PreferenceInline):
    def known(self, recipient: Recipient) -> dict[str, dict[str, str]]:
        offered = Template.objects.filter(tenant=recipient.tenant_id, archived_at=None).order_by("name")
        templates = dict(offered.values_list("code", "name"))
        return super().known(recipient) | {Preference.Level.TEMPLATE: templates}


@admin.register(Recipient)
class PersonAdmin(RecipientAdmin):
    actions_detail = ("export", "erase")
    inlines = (SwitchInline, DeviceInline)
    change_form_outer_before_template = "notifications/admin/person.html"

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        person = self.get_object(request, object_id)
        shown = {} if person is None else overview(person, request.user)
        return super().change_view(request, object_id, form_url, {**shown, **(extra_context or {})})

    def has_export_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Not named in the button: django-unfold would look them up in the database before there is one."""
        return request.user.has_perms(("delivery.reveal_address", "notifications.view_notification"))

    def has_erase_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm("preferences.delete_recipient")

    @action(description="Export", icon="download", permissions=("export",))
    def export(self, request: HttpRequest, object_id: str) -> StreamingHttpResponse:
        """Whole addresses and every word that was sent: who looks is written down."""
        person = self.one(request, object_id)
        body = exporting.export(person.tenant, (person.type, person.external_id))
        if body is None:
            raise Http404
        about = {"user": request.user.pk, "tenant": person.tenant_id, "recipient": person.pk}
        logger.info("a person is exported", extra=about)
        headers = {"Content-Disposition": 'attachment; filename="person.json"', "Cache-Control": "no-store"}
        return StreamingHttpResponse(body, content_type="application/json", headers=headers)

    @action(
        description="Erase",
        icon="person_off",
        danger=True,
        permissions=("erase",),
        form=TypeTheIdForm,
        asks=(
            "Forget this person?",
            "What has not left is canceled. Profile, devices and preferences are deleted; what was sent is "
            "made anonymous: addresses, words, replies, attachments. What they asked not to get stays so, as "
            "a hash. This cannot be undone.",
            "Erase",
        ),
    )
    def erase(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        person = self.one(request, object_id)
        by = f"operator {request.user.get_username()}"
        row = erasure.ask(person.tenant, (person.type, person.external_id), asked_by=by)
        messages.success(request, "They are out of the directory. This page tells how far the rest is.")
        return go_to(reverse("admin:notifications_erasure_change", args=(row.pk,)))
