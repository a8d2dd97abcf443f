"""What every page of the admin site is made from: django-unfold's classes, and what an operator may do.

django-unfold has no type information, so the checker is shown Django's own classes, which it extends, with
the models they are for in brackets; at run time the brackets mean nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib.admin import ShowFacets
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold import decorators, enums

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin, StackedInline, TabularInline
    from django.forms import ModelForm
    from django.forms.models import BaseInlineFormSet as InlineFormSet
else:
    from django import forms
    from unfold import admin
    from unfold.forms import PaginationInlineFormSet

    class _Bracketed:
        def __class_getitem__(cls, item):
            return cls

    class ModelAdmin(_Bracketed, admin.ModelAdmin):
        pass

    class StackedInline(_Bracketed, admin.StackedInline):
        pass

    class TabularInline(_Bracketed, admin.TabularInline):
        pass

    class ModelForm(_Bracketed, forms.ModelForm):
        pass

    class InlineFormSet(_Bracketed, PaginationInlineFormSet):
        pass


__all__ = ["InlineFormSet", "ModelAdmin", "ModelForm", "OperatorAdmin", "StackedInline", "TabularInline"]

AnyModel = TypeVar("AnyModel", bound=Model)
Method = TypeVar("Method", bound=Callable[..., Any])

STATUS_TONES = {
    "scheduled": "info",
    "processing": "info",
    "sending": "info",
    "deferred": "warning",
    "sent": "primary",
    "delivered": "success",
    "failed": "danger",
    "suppressed": "warning",
    "expired": "warning",
}
"""The colour of a notification's or a delivery's status; the others are grey."""


def display(
    *,
    description: str,
    label: Mapping[str, str] | bool | None = None,
    boolean: bool | None = None,
    ordering: str | None = None,
) -> Callable[[Method], Method]:
    """A column; with `label` its values are badges: value → info, success, warning, danger or primary."""
    decorated: Callable[[Method], Method] = decorators.display(
        description=description, label=label, boolean=boolean, ordering=ordering
    )
    return decorated


def action(
    *,
    description: str,
    icon: str,
    asks: tuple[str, str, str] | None = None,
    form: type | None = None,
    danger: bool = False,
    permissions: Sequence[str] = ("operate",),
) -> Callable[[Method], Method]:
    """A button of a page. `asks`: title, text and button of the dialog that posts it, `form`: its fields.

    One that asks is called with the dialog's form and answers `go_to`; one that does not must be safe (GET).
    """
    dialog = asks and {
        "title": asks[0],
        "description": asks[1],
        "form_submit_text": asks[2],
        "form_class": form,
    }
    variant = enums.ActionVariant.DANGER if danger else enums.ActionVariant.DEFAULT
    decorated: Callable[[Method], Method] = decorators.action(
        description=description, icon=icon, dialog=dialog, variant=variant, permissions=permissions
    )
    return decorated


class OperatorAdmin(ModelAdmin[AnyModel]):
    """Buttons ask for Django's change permission even where the rows themselves are not to be edited."""

    show_facets = ShowFacets.NEVER  # each would be a COUNT
    list_filter_submit = True
    compressed_fields = False
    actions_detail: Sequence[str] = ()
    actions_submit_line: Sequence[str] = ()

    def has_operate_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    def response_change(self, request: HttpRequest, obj: AnyModel) -> HttpResponse:
        """Back to the row, to see what came of it, when the button was one of ours."""
        own = {f"{self.opts.app_label}_{self.opts.model_name}_{name}" for name in self.actions_submit_line}
        if own & request.POST.keys():
            return HttpResponseRedirect(self.page_of(obj.pk))
        return super().response_change(request, obj)

    def page_of(self, object_id: object) -> str:
        return page_of(self.model, object_id)

    def one(self, request: HttpRequest, object_id: str) -> AnyModel:
        """The row that a button is about, or 404."""
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        return row


class RecordAdmin(OperatorAdmin[AnyModel]):
    """Rows that happened: they are looked at, not made, edited or deleted."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: AnyModel | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: AnyModel | None = None) -> bool:
        return False


def page_of(model: type[Model] | str, object_id: object) -> str:
    """The address of a row's page; the model may be named `app.model`, by those that stand below it."""
    label = model if isinstance(model, str) else model._meta.label_lower
    return reverse(f"admin:{label.replace('.', '_')}_change", args=(object_id,))


def go_to(url: str) -> HttpResponse:
    """The answer to a dialog: it is posted by htmx, which follows this header."""
    return HttpResponse(headers={"HX-Redirect": url})


def link(url: str, text: object) -> SafeString:
    return format_html('<a href="{}" class="c-link">{}</a>', url, text)


def code(text: object) -> SafeString:
    return format_html('<code class="c-code">{}</code>', text)
