from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.widgets import UnfoldAdminExpandableTextareaWidget

from templates_app import archiving, catalog
from templates_app.admin.history import history, percent
from templates_app.admin.releases import VERSION_TONES, state_of
from templates_app.diffing import NOTHING
from templates_app.digest_windows import complaints as digest_complaints
from templates_app.models import Template, TemplateVersion
from templates_app.publishing import save_draft, wording_of
from templates_app.releasing import ReleaseError
from tenants.admin.base import (
    ModelForm,
    OperatorAdmin,
    TabularInline,
    action,
    code,
    display,
    go_to,
    link,
    page_of,
)
from tenants.admin.filters import TENANT_FILTER, DropdownFilter
from tenants.admin.tenants import CHANNELS_EXAMPLE, sound
from tenants.channels import complaints, read

DIGEST_EXAMPLE = '{"window": "daily 09:00"}, {"window": "10m", "key": "comments"}'


class TemplateForm(ModelForm[Template]):
    description = forms.CharField(required=False, widget=UnfoldAdminExpandableTextareaWidget)
    channels = forms.JSONField(
        required=False,
        initial=list,
        widget=UnfoldAdminExpandableTextareaWidget,
        help_text=f"Used when the request names none: {CHANNELS_EXAMPLE}.",
    )

    digest = forms.JSONField(
        required=False,
        widget=UnfoldAdminExpandableTextareaWidget,
        help_text=f"Told together with what else comes for the recipient, and when: {DIGEST_EXAMPLE}.",
    )

    def clean_digest(self) -> Any:
        digest = self.cleaned_data["digest"] or None
        return digest and sound(digest, digest_complaints(digest), DIGEST_EXAMPLE)

    def clean_channels(self) -> Any:
        channels = self.cleaned_data["channels"] or []
        return sound(channels, complaints(channels), CHANNELS_EXAMPLE)


class ArchivedFilter(DropdownFilter):
    """Archived templates are out of sight until they are asked for."""

    title, parameter_name = "state", "state"
    all_option = None

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("", "Offered"), ("archived", "Archived"), ("all", "All")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Template]) -> QuerySet[Template]:
        if self.value() == "all":
            return queryset
        return queryset.filter(archived_at__isnull=self.value() != "archived")


class VersionInline(TabularInline[TemplateVersion, Template]):
    model = TemplateVersion
    fk_name = "template"
    verbose_name_plural = "versions"
    fields = ("version", "state", "needs", "created_at", "published_at")
    readonly_fields = fields
    extra = 0
    per_page = 20
    hide_title = True
    can_delete = False

    @display(description="Version")
    def version(self, version: TemplateVersion) -> str:
        return link(page_of(TemplateVersion, version.pk), f"Version {version.number}")

    @display(description="State", label=VERSION_TONES)
    def state(self, version: TemplateVersion) -> str:
        return state_of(version)

    @display(description="Needs")
    def needs(self, version: TemplateVersion) -> str:
        return ", ".join(version.variables) or "nothing"

    def get_queryset(self, request: HttpRequest) -> QuerySet[TemplateVersion]:
        return super().get_queryset(request).select_related("template")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Template)
class TemplateAdmin(OperatorAdmin[Template]):
    form = TemplateForm
    list_display = ("name", "code_label", "current", "category", "channel_list", "tenant", "created_at")
    list_select_related = ("tenant", "published", "canary")
    list_filter = (TENANT_FILTER, ArchivedFilter)
    search_fields = ("code", "name")
    autocomplete_fields = ("tenant",)
    inlines = (VersionInline,)
    actions_detail = ("new_draft", "archive", "restore")
    change_form_before_template = "templates_app/admin/template_state.html"
    change_form_outer_after_template = "templates_app/admin/history.html"
    fieldsets = (
        (None, {"fields": ("tenant", ("name", "code"), "description")}),
        ("When it is sent", {"fields": (("category", "type"), "channels", "digest")}),
    )

    class Media:
        css = {"all": ("templates_app/releases.css",)}

    @display(description="Code", ordering="code")
    def code_label(self, template: Template) -> str:
        return code(template.code)

    @display(description="Sends", label={"nothing yet": "warning", "archived": "danger"})
    def current(self, template: Template) -> str:
        if template.archived_at is not None:
            return "archived"
        if template.published is None:
            return "nothing yet"
        tried = f", {template.canary.number} on {percent(template.canary_percent)}" if template.canary else ""
        return f"version {template.published.number}{tried}"

    @display(description="Channels")
    def channel_list(self, template: Template) -> str:
        return ", ".join(str(read(entry)) for entry in template.channels) or "the tenant's"

    def get_readonly_fields(self, request: HttpRequest, obj: Template | None = None) -> tuple[str, ...]:
        """Services call a template by its code: it does not change."""
        return ("tenant", "code") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Template | None = None) -> bool:
        return False  # what was accepted is still to be sent: archive it

    def save_model(self, request: HttpRequest, obj: Template, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        catalog.forget()

    @action(
        description="New draft",
        icon="edit_note",
        asks=(
            "Start a new draft?",
            "It begins as a copy of the latest version; nothing changes until you publish it.",
            "Start",
        ),
    )
    def new_draft(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        template = self.one(request, object_id)
        return start_draft(request, template, template.versions.first())

    @action(
        description="Archive",
        icon="inventory_2",
        danger=True,
        asks=(
            "Archive this template?",
            "It is no longer offered. What was accepted is still sent.",
            "Archive",
        ),
    )
    def archive(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        template = archiving.archive(self.one(request, object_id), by=request.user.get_username())
        self.log_change(request, template, "Archived.")
        messages.success(request, f"{template.name} is archived; its code is free again.")
        return go_to(self.page_of(object_id))

    @action(
        description="Restore",
        icon="unarchive",
        asks=("Offer this template again?", "It is sent as it was before it was archived.", "Restore"),
    )
    def restore(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        try:
            template = archiving.restore(self.one(request, object_id), by=request.user.get_username())
        except ReleaseError as error:
            messages.error(request, error.message)
        else:
            self.log_change(request, template, "Restored.")
            messages.success(request, f"{template.name} is offered again.")
        return go_to(self.page_of(object_id))

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        actions: list[Any] = super().get_actions_detail(request, object_id)  # type: ignore[misc]  # unfold's
        template = self.get_object(request, str(object_id))
        hidden = "archive" if template and template.archived_at else "restore"
        return [found for found in actions if found.method.__name__ != hidden]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        template = self.get_object(request, object_id)
        shown = {"history": history(template), "share": percent(template.canary_percent)} if template else {}
        return super().change_view(request, object_id, form_url, {**shown, **(extra_context or {})})


def start_draft(request: HttpRequest, template: Template, source: TemplateVersion | None) -> HttpResponse:
    """A draft with the words of `source`; the answer leads to it."""
    said = wording_of(source) if source else NOTHING
    draft = save_draft(template, said.contents, said.sample_data, schema=said.schema)
    messages.success(request, f"Version {draft.number} is a draft: change it, then publish it.")
    return go_to(page_of(TemplateVersion, draft.pk))
