"""Lists of values that a tenant may keep of its own: what kinds of recipients and of templates it has.

They are for people to choose from: a code that is in no list is taken all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import models

from tenants.ids import new_id

TEMPLATE_TYPES, USER_TYPES = "template_types", "user_types"


class LookupValue(models.Model):
    """A value of one of a tenant's lists. As long as it has none of a list, ours stand there."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    type = models.CharField(max_length=32)
    code = models.SlugField(max_length=64, db_index=False)
    label = models.CharField(max_length=200)
    translations = models.JSONField(
        default=dict, blank=True, help_text='Locale → label, e.g. {"de": "Kunde"}.'
    )

    class Meta:
        ordering = ("id",)
        constraints = [models.UniqueConstraint(fields=["tenant", "type", "code"], name="lookup_value_code")]

    def __str__(self) -> str:
        return self.label


@dataclass(frozen=True, slots=True)
class Value:
    """`label` is in English, or in the tenant's own words; `translations`: locale (BCP 47) → label."""

    code: str
    label: str
    translations: Mapping[str, str] = field(default_factory=dict)


DEFAULTS: Mapping[str, Sequence[Value]] = {
    TEMPLATE_TYPES: (
        Value("message", "Message", {"de": "Nachricht"}),
        Value("otp", "One-time password", {"de": "Einmalpasswort"}),
        Value("receipt", "Receipt", {"de": "Beleg"}),
        Value("reminder", "Reminder", {"de": "Erinnerung"}),
        Value("digest", "Digest", {"de": "Zusammenfassung"}),
        Value("newsletter", "Newsletter", {"de": "Newsletter"}),
    ),
    USER_TYPES: (
        Value("user", "User", {"de": "Nutzer"}),
        Value("service", "Service", {"de": "Dienst"}),
    ),
}


def own_values(tenant_id: UUID, type: str) -> list[Value]:
    rows = LookupValue.objects.filter(tenant=tenant_id, type=type)
    return [Value(row.code, row.label, row.translations) for row in rows]


def values(tenant_id: UUID, type: str) -> Sequence[Value]:
    """The tenant's list, in the order in which it was made, or ours."""
    return own_values(tenant_id, type) or DEFAULTS[type]


def begin(tenant_id: UUID, type: str) -> None:
    """Make our list the tenant's own, for it to change, unless it has one."""
    if not LookupValue.objects.filter(tenant=tenant_id, type=type).exists():
        LookupValue.objects.bulk_create(
            (
                LookupValue(
                    tenant_id=tenant_id,
                    type=type,
                    code=v.code,
                    label=v.label,
                    translations=dict(v.translations),
                )
                for v in DEFAULTS[type]
            ),
            ignore_conflicts=True,
        )
