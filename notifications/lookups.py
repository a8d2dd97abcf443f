"""Every list of values that requests and answers are made of, for forms to offer and for people to read.

Some are fixed, as the code is; categories, kinds of templates and kinds of users are each tenant's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError, transaction

from delivery.models import DeliveryStatus
from notifications.lookup_labels import LABELS
from notifications.models import UNPLANNED, Notification, NotificationStatus, NotificationType, Priority
from preferences.models import Category, Recipient
from templates_app.models import Template
from tenants import lookups
from tenants.channels import CHANNELS
from tenants.lookups import TEMPLATE_TYPES, USER_TYPES, LookupValue, Value
from tenants.problems import Problem

CATEGORIES = "categories"
BATCH_STATUSES = ("pending", "processing", "completed", "failed", "canceled")
OWN = (CATEGORIES, TEMPLATE_TYPES, USER_TYPES)
"""Those that operators may change."""


@dataclass(frozen=True, slots=True)
class Wording:
    """What a value is called. None leaves it as it is."""

    label: str | None = None
    translations: Mapping[str, str] | None = None


def _fixed(codes: Iterable[str], list_name: str) -> Callable[[UUID], Sequence[Value]]:
    labels = LABELS[list_name]
    found = tuple(Value(code, labels[code]["en"], _others(labels[code])) for code in codes)
    return lambda tenant_id: found


def _others(labels: Mapping[str, str]) -> dict[str, str]:
    return {locale: label for locale, label in labels.items() if locale != "en"}


def _categories(tenant_id: UUID) -> list[Value]:
    """What they are called in other locales stands beside them, or is ours where the name is."""
    rows = Category.objects.filter(tenant=tenant_id).order_by("id").values_list("code", "name")
    own = {value.code: value.translations for value in lookups.own_values(tenant_id, CATEGORIES)}
    return [Value(code, name, own.get(code, _known(code, name))) for code, name in rows]


def _known(code: str, name: str) -> dict[str, str]:
    labels = LABELS[CATEGORIES].get(code, {})
    return _others(labels) if labels.get("en") == name else {}


LISTS: Mapping[str, Callable[[UUID], Sequence[Value]]] = {
    "statuses": _fixed(NotificationStatus.values, "statuses"),
    "delivery_statuses": _fixed(DeliveryStatus.values, "statuses"),
    "batch_statuses": _fixed(BATCH_STATUSES, "statuses"),
    "priorities": _fixed((priority.label.lower() for priority in Priority), "priorities"),
    "channels": _fixed(CHANNELS, "channels"),
    "notification_types": _fixed(NotificationType.values, "notification_types"),
    CATEGORIES: _categories,
    TEMPLATE_TYPES: lambda tenant_id: lookups.values(tenant_id, TEMPLATE_TYPES),
    USER_TYPES: lambda tenant_id: lookups.values(tenant_id, USER_TYPES),
}


def values(tenant_id: UUID, list_name: str) -> Sequence[Value]:
    """Within the tenant's scope. Raises the problem that there is no such list."""
    if list_name not in LISTS:
        raise Problem(404, "unknown_lookup", f"There is no such list. There are: {', '.join(LISTS)}.")
    return LISTS[list_name](tenant_id)


def add(tenant_id: UUID, list_name: str, code: str, wording: Wording) -> Value:
    """Raises the problem that the list is fixed, or has the code."""
    _refuse_fixed(tenant_id, list_name)
    label, translations = wording.label or code, dict(wording.translations or {})
    try:
        with transaction.atomic():
            if list_name == CATEGORIES:
                Category.objects.create(tenant_id=tenant_id, code=code, name=label)
                _translate(tenant_id, code, label, translations)
            else:
                lookups.begin(tenant_id, list_name)
                row = {"tenant_id": tenant_id, "type": list_name, "code": code, "label": label}
                LookupValue.objects.create(**row, translations=translations)
    except IntegrityError:
        raise Problem(409, "lookup_exists", f"The list has {code!r} already.") from None
    return Value(code, label, translations)


def change(tenant_id: UUID, list_name: str, code: str, wording: Wording) -> Value:
    """The code never changes: requests, recipients and preferences say it."""
    _refuse_fixed(tenant_id, list_name)
    known = _find(tenant_id, list_name, code)
    label = known.label if wording.label is None else wording.label
    translations = known.translations if wording.translations is None else wording.translations
    if list_name == CATEGORIES:
        Category.objects.filter(tenant=tenant_id, code=code).update(name=label)
        _translate(tenant_id, code, label, translations)
    else:
        lookups.begin(tenant_id, list_name)
        rows = LookupValue.objects.filter(tenant=tenant_id, type=list_name, code=code)
        rows.update(label=label, translations=dict(translations))
    return Value(code, label, translations)


def remove(tenant_id: UUID, list_name: str, code: str) -> None:
    """Raises the problem that something still says it."""
    _refuse_fixed(tenant_id, list_name)
    _find(tenant_id, list_name, code)
    if user := _user(tenant_id, list_name, code):
        raise Problem(409, "lookup_in_use", f"{code!r} is still used by {user}.")
    if list_name == CATEGORIES:
        Category.objects.filter(tenant=tenant_id, code=code).delete()
    else:
        lookups.begin(tenant_id, list_name)
    LookupValue.objects.filter(tenant=tenant_id, type=list_name, code=code).delete()


def _refuse_fixed(tenant_id: UUID, list_name: str) -> None:
    if list_name not in LISTS:
        values(tenant_id, list_name)
    if list_name not in OWN:
        raise Problem(409, "lookup_fixed", "This list is the same for everybody and cannot be changed.")


def _find(tenant_id: UUID, list_name: str, code: str) -> Value:
    known = next((value for value in values(tenant_id, list_name) if value.code == code), None)
    if known is None:
        raise Problem(404, "not_found", "The list has no such value.")
    return known


def _translate(tenant_id: UUID, code: str, label: str, translations: Mapping[str, str]) -> None:
    LookupValue.objects.update_or_create(
        tenant_id=tenant_id,
        type=CATEGORIES,
        code=code,
        defaults={"label": label, "translations": dict(translations)},
    )


def _user(tenant_id: UUID, list_name: str, code: str) -> str:
    """One that says it, in words."""
    if list_name == USER_TYPES:
        return "recipients" if Recipient.objects.filter(tenant=tenant_id, type=code).exists() else ""
    column = {CATEGORIES: "category", TEMPLATE_TYPES: "type"}[list_name]
    template = Template.objects.filter(tenant=tenant_id, archived_at=None, **{column: code}).first()
    if template is not None:
        return f"the template {template.code!r}"
    waiting = Notification.objects.filter(tenant_id=tenant_id, status__in=UNPLANNED, category=code)
    return "notifications that wait" if list_name == CATEGORIES and waiting.exists() else ""
