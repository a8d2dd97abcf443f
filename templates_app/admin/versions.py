from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet, prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.html import format_html

from templates_app.admin import live, previews
from templates_app.admin.contents import ContentForm, ContentFormSet, VersionForm, readable
from templates_app.admin.history import percent
from templates_app.admin.releases import VERSION_TONES, ReleasedAdmin, state_of
from templates_app.admin.templates import start_draft
from templates_app.inference import inferred
from templates_app.models import PublishedVersionError, TemplateContent, TemplateVersion
from templates_app.publishing import save_draft
from tenants.admin.base import StackedInline, action, display
from tenants.admin.filters import TENANT_FILTER


class ContentInline(StackedInline[TemplateContent, TemplateVersion]):
    """Open to changes while the version is a draft."""

    model = TemplateContent
    form = ContentForm
    formset = ContentFormSet  # type: ignore[assignment]  # of its own form
    verbose_name, verbose_name_plural = "words", "words"
    fields = (
        *(("channel", "locale"), "subject", "title", "body", "html", ("format", "layout")),
        "overrides",
    )
    extra = 0
    collapsible = True

    class Media:
        js = ("templates_app/contents.js", "templates_app/editor.js", "templates_app/live.js")
        css = {
            "all": ("templates_app/previews.css", "templates_app/workbench.css", "templates_app/releases.css")
        }

    def has_add_permission(self, request: HttpRequest, obj: TemplateVersion | None = None) -> bool:
        return is_draft(obj) and super().has_add_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: TemplateVersion | None = None) -> bool:
        return is_draft(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: TemplateVersion | None = None) -> bool:
        return is_draft(obj) and super().has_delete_permission(request, obj)


@admin.register(TemplateVersion)
class TemplateVersionAdmin(ReleasedAdmin):
    form = VersionForm
    list_display = ("name", "state", "needs", "tenant", "created_at", "published_at")
    list_select_related = ("template", "tenant")
    list_filter = (TENANT_FILTER,)
    search_fields = ("template__code",)
    ordering = ("-pk",)
    readonly_fields = ("sample", "asked")
    inlines = (ContentInline,)
    warn_unsaved_form = True
    actions_detail = (
        *("preview", "compare", "make_current", "promote", "try_on_some", "change_share", "drop"),
        *("new_draft", "put_away", "bring_back"),
    )
    actions_submit_line = ("save_and_publish",)
    change_form_before_template = "templates_app/admin/version_state.html"
    change_form_outer_after_template = "templates_app/admin/workbench.html"

    @display(description="Version", ordering="template__code")
    def name(self, version: TemplateVersion) -> str:
        return str(version)

    @display(description="State", label=VERSION_TONES)
    def state(self, version: TemplateVersion) -> str:
        return state_of(version)

    @display(description="Needs")
    def needs(self, version: TemplateVersion) -> str:
        return ", ".join(version.variables) or "nothing"

    @display(description="Sample data")
    def sample(self, version: TemplateVersion) -> str:
        return format_html('<pre class="c-json">{}</pre>', readable(version.sample_data))

    @display(description="Schema")
    def asked(self, version: TemplateVersion) -> str:
        if version.schema is None:
            return "none: the names are asked for, and their values may be anything"
        return format_html('<pre class="c-json">{}</pre>', readable(version.schema))

    def get_fields(self, request: HttpRequest, obj: TemplateVersion | None = None) -> tuple[str, ...]:
        is_open = self.has_change_permission(request, obj)
        return ("sample_data", "schema") if is_open else ("sample", "asked")

    def get_queryset(self, request: HttpRequest) -> QuerySet[TemplateVersion]:
        return super().get_queryset(request).select_related("template", "tenant")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # a draft begins on its template's page

    def has_change_permission(self, request: HttpRequest, obj: TemplateVersion | None = None) -> bool:
        return is_draft(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: TemplateVersion | None = None) -> bool:
        return is_draft(obj) and obj is not None and super().has_delete_permission(request, obj)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        actions: list[Any] = super().get_actions_detail(request, object_id)  # type: ignore[misc]  # unfold's
        version = self.get_object(request, str(object_id))
        shown = {"preview", "compare", "new_draft"} | (self.buttons(version) if version else set())
        return [found for found in actions if found.method.__name__ in shown]

    def get_actions_submit_line(self, request: HttpRequest, object_id: Any) -> list[Any]:
        actions: list[Any] = super().get_actions_submit_line(request, object_id)  # type: ignore[misc]  # unfold's
        return actions if is_draft(self.get_object(request, str(object_id))) else []

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        version = self.get_object(request, object_id)
        shown = self._shown(version) if version else {}
        return super().change_view(request, object_id, form_url, {**shown, **(extra_context or {})})

    def _shown(self, version: TemplateVersion) -> dict[str, Any]:
        state = state_of(version)
        wants_one = is_draft(version) and version.schema is None
        suggested = inferred(version.variables, version.sample_data) if wants_one else None
        return {
            "state": state,
            "tone": VERSION_TONES[state],
            "share": percent(version.template.canary_percent),
            "suggested": suggested and readable(suggested),
        }

    def get_urls(self) -> list[Any]:
        view, name = self.admin_site.admin_view(self.live), "templates_app_templateversion_live"
        return [path("<uuid:object_id>/live/", view, name=name), *super().get_urls()]

    def live(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """What the editor shows beside the source."""
        version = self.one(request, str(object_id))
        if request.method != "POST" or not self.has_change_permission(request, version):
            raise PermissionDenied
        return live.answer(request, version)

    def save_model(self, request: HttpRequest, obj: TemplateVersion, form: Any, change: bool) -> None:
        """Saved with its words, by `save_formset`."""

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        version: TemplateVersion = form.instance
        try:
            save_draft(
                version.template,
                formset.drafts(),
                version.sample_data,
                schema=version.schema,
                number=version.number,
            )
        except PublishedVersionError as error:  # while the form was open
            raise PermissionDenied from error
        formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []
        for submitted in self.get_actions_submit_line(request, version.pk):
            if submitted.action_name in request.POST:
                submitted.method(request, version)

    @action(description="Save and publish", icon="publish")
    def save_and_publish(self, request: HttpRequest, version: TemplateVersion) -> None:
        self.release(request, version, self._publish)

    @action(
        description="New draft",
        icon="edit_note",
        asks=(
            "Start a new draft?",
            "It begins as a copy of this version, and is sent when published.",
            "Start",
        ),
    )
    def new_draft(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        source = self.one(request, object_id)
        return start_draft(request, source.template, source)

    @action(description="Preview", icon="visibility", permissions=["view"])
    def preview(self, request: HttpRequest, object_id: str) -> HttpResponse:
        version = self.one(request, object_id)
        prefetch_related_objects([version], "contents")
        context = {
            **self.admin_site.each_context(request),
            "title": f"{version.template.name}, version {version.number}",
            "opts": self.opts,
            "version": version,
            **previews.context(request, version),
        }
        return TemplateResponse(request, "templates_app/admin/preview.html", context)


def is_draft(version: TemplateVersion | None) -> bool:
    return version is None or version.published_at is None
