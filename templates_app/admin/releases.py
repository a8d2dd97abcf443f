"""The buttons by which a version is sent, tried on some, compared and put away."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.text import capfirst
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminDecimalFieldWidget

from templates_app import archiving, canaries
from templates_app.admin.comparing import compare, other_version
from templates_app.inspection import InvalidTemplateError
from templates_app.models import TemplateVersion
from templates_app.publishing import publish
from templates_app.releasing import ReleaseError
from templates_app.schemas import InvalidSchemaError
from tenants.admin.base import OperatorAdmin, action, go_to

VERSION_TONES = {
    "draft": "warning",
    "published": "info",
    "current": "success",
    "canary": "primary",
    "archived": "danger",
}
_BUTTONS = {
    "draft": {"try_on_some", "put_away"},
    "published": {"make_current", "try_on_some", "put_away"},
    "current": set[str](),
    "canary": {"promote", "change_share", "drop"},
    "archived": {"bring_back"},
}
"""Which of the buttons below a version has, by its state."""

_COMPARED = 50  # versions offered to compare with


def state_of(version: TemplateVersion) -> str:
    if version.template.published_id == version.pk:
        return "current"
    return "canary" if version.template.canary_id == version.pk else version.status


class ShareForm(BaseDialogForm):  # type: ignore[misc]  # django-unfold has no type information
    percent = forms.DecimalField(
        min_value=Decimal("0.01"),
        max_value=100,
        max_digits=5,
        decimal_places=2,
        initial=10,
        label="Percent of the recipients",
        widget=UnfoldAdminDecimalFieldWidget,
        help_text="The same people each time; while it grows, nobody goes back.",
    )


class ReleasedAdmin(OperatorAdmin[TemplateVersion]):
    def buttons(self, version: TemplateVersion) -> set[str]:
        """The names of those among the buttons below that make sense now."""
        return _BUTTONS[state_of(version)]

    @action(
        description="Make current",
        icon="settings_backup_restore",
        asks=(
            "Send this version from now on?",
            "Of an earlier version this is the rollback. What was accepted before keeps its version.",
            "Make current",
        ),
    )
    def make_current(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        return self._do(request, object_id, self._publish)

    @action(
        description="Promote",
        icon="rocket_launch",
        asks=("Send this version to everybody?", "The canary ends with it.", "Promote"),
    )
    def promote(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        return self._do(request, object_id, self._publish)

    @action(
        description="Try on some",
        icon="science",
        asks=(
            "Give this version to some of the recipients?",
            "A canary: the others go on getting the version that is current.",
            "Try",
        ),
        form=ShareForm,
    )
    def try_on_some(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        return self._share(request, form, object_id)

    @action(
        description="Change share",
        icon="percent",
        asks=(
            "How many get this version?",
            "A canary: the others get the version that is current.",
            "Change",
        ),
        form=ShareForm,
    )
    def change_share(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        return self._share(request, form, object_id)

    @action(
        description="Drop",
        icon="undo",
        danger=True,
        asks=(
            "End the canary?",
            "Everybody gets the current version again; what was accepted keeps this.",
            "Drop",
        ),
    )
    def drop(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        def end(version: TemplateVersion, by: str) -> str:
            canaries.drop(version.template, by=by)
            return f"version {version.number} is no longer tried."

        return self._do(request, object_id, end)

    @action(
        description="Archive",
        icon="inventory_2",
        asks=(
            "Archive this version?",
            "It is no longer offered for publishing; requests that name its number still get it.",
            "Archive",
        ),
    )
    def put_away(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        def archive(version: TemplateVersion, by: str) -> str:
            return f"version {archiving.archive_version(version, by=by).number} is archived."

        return self._do(request, object_id, archive)

    @action(
        description="Restore",
        icon="unarchive",
        asks=("Offer this version again?", "It can be published then.", "Restore"),
    )
    def bring_back(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        def restore(version: TemplateVersion, by: str) -> str:
            return f"version {archiving.restore_version(version, by=by).number} is offered again."

        return self._do(request, object_id, restore)

    @action(description="Compare", icon="difference", permissions=["view"])
    def compare(self, request: HttpRequest, object_id: str) -> HttpResponse:
        version = self.one(request, object_id)
        other = other_version(version, request.GET.get("with"))
        context = {
            **self.admin_site.each_context(request),
            "title": f"{version.template.name}, version {version.number}",
            "opts": self.opts,
            "version": version,
            "other": other,
            "others": version.template.versions.exclude(pk=version.pk)[:_COMPARED],
            "parts": compare(other, version) if other else [],
        }
        return TemplateResponse(request, "templates_app/admin/compare.html", context)

    def _share(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        percent: Decimal = form.cleaned_data["percent"]

        def share(version: TemplateVersion, by: str) -> str:
            canaries.start(version, percent, by=by)
            return f"{percent:f} % of the recipients get version {version.number}."

        return self._do(request, object_id, share)

    def _publish(self, version: TemplateVersion, by: str) -> str:
        publish(version, by=by)
        return f"version {version.number} is sent from now on."

    def _do(
        self, request: HttpRequest, object_id: str, deed: Callable[[TemplateVersion, str], str]
    ) -> HttpResponse:
        self.release(request, self.one(request, object_id), deed)
        return go_to(self.page_of(object_id))

    def release(
        self, request: HttpRequest, version: TemplateVersion, deed: Callable[[TemplateVersion, str], str]
    ) -> None:
        """Do it in the operator's name and tell them what was done, or why it was not."""
        try:
            done = deed(version, request.user.get_username())
        except (InvalidTemplateError, InvalidSchemaError, ReleaseError) as error:
            messages.error(request, str(error))
            return
        self.log_change(request, version, capfirst(done))
        messages.success(request, f"{version.template.name}: {done}")
