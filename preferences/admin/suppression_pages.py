"""The buttons above the list of suppressions: a file in, a file out."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from preferences.admin.fields import channel_field
from preferences.models import Suppression
from preferences.suppression_documents import ImportReport, SuppressionFilter
from preferences.suppression_files import as_csv, csv_lines, json_lines, take_in
from tenants.admin.base import OperatorAdmin, action
from tenants.models import Tenant
from tenants.problems import Problem

_TEMPLATE = "preferences/admin/suppression_file.html"


class TenantForm(forms.Form):
    tenant = forms.ModelChoiceField(Tenant.objects.all(), widget=UnfoldAdminSelectWidget)


class ExportForm(TenantForm):
    channel = channel_field(required=False, help_text="Every channel, unless you choose one.")


class ImportForm(TenantForm):
    file = forms.FileField(
        widget=UnfoldAdminFileFieldWidget,
        help_text="CSV whose first line names the columns, or JSON lines (.jsonl): channel, address, reason, "
        "since; or what was exported here or by an installation with the same key.",
    )
    channel = channel_field(required=False, help_text="Where the file does not say.")
    name = forms.CharField(
        required=False,
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        help_text="Kept with each suppression. The file's, unless you give one.",
    )


class SuppressionPages(OperatorAdmin[Suppression]):
    actions_list = ("export_file", "import_file")

    @action(description="Export", icon="download", permissions=("view",))
    def export_file(self, request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        form = ExportForm(request.POST or None, initial=_only_tenant())
        if request.method != "POST" or not form.is_valid():
            lead = "Hashes, masks and reasons. It can be imported wherever the key of the hashes is known."
            return self._page(request, form, "Export suppressions", "Export", lead)
        tenant, channel = form.cleaned_data["tenant"], form.cleaned_data["channel"]
        body = as_csv(tenant.pk, SuppressionFilter.model_validate({"channel": channel or None}))
        name = f"suppressions-{tenant.slug}-{timezone.now():%Y-%m-%d}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingHttpResponse(body, content_type="text/csv; charset=utf-8", headers=headers)

    @action(description="Import", icon="upload", permissions=("add",))
    def import_file(self, request: HttpRequest) -> HttpResponse:
        form = ImportForm(request.POST or None, request.FILES or None, initial=_only_tenant())
        lead = "Each address is suppressed for the tenant. Lines that cannot be read are named, and left out."
        report = _imported(form) if request.method == "POST" and form.is_valid() else None
        if report is None or report.rejected:
            return self._page(request, form, "Import suppressions", "Import", lead, report)
        messages.success(request, f"{report.accepted} suppressed, {report.known} were already.")
        return HttpResponseRedirect(reverse("admin:preferences_suppression_changelist"))

    def _page(
        self,
        request: HttpRequest,
        form: forms.Form,
        title: str,
        button: str,
        lead: str,
        report: ImportReport | None = None,
    ) -> HttpResponse:
        context: dict[str, Any] = {**self.admin_site.each_context(request), "opts": self.opts}
        about = {"form": form, "title": title, "button": button, "lead": lead, "report": report}
        return TemplateResponse(request, _TEMPLATE, context | about)


def _only_tenant() -> dict[str, Any]:
    found = list(Tenant.objects.values_list("pk", flat=True)[:2])
    return {"tenant": found[0]} if len(found) == 1 else {}


def _imported(form: ImportForm) -> ImportReport | None:
    """None when the file is not to be read at all, with the error on the form."""
    file, channel = form.cleaned_data["file"], form.cleaned_data["channel"]
    read = json_lines if file.name.endswith((".jsonl", ".ndjson")) else csv_lines
    name = form.cleaned_data["name"] or file.name
    given = {"channel": channel} if channel else {}
    try:
        return take_in(form.cleaned_data["tenant"], read(file.read()), name=name[:200], given=given)
    except Problem as problem:
        form.add_error("file", ValidationError(problem.text))
        return None
