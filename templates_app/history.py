"""What was done to what a tenant sends: who released which version of a template, and when."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from django.db import models
from django.utils import timezone

from tenants.ids import new_id
from tenants.models import Tenant

if TYPE_CHECKING:
    from templates_app.models import Template, TemplateVersion


class TemplateRelease(models.Model):
    """One act that changed, or could have changed, which version of a template goes out. Kept as it is."""

    class Act(models.TextChoices):
        PUBLISHED = "published"
        ROLLED_BACK = "rolled_back", "rolled back to"
        CANARY_STARTED = "canary_started", "canary started"
        CANARY_CHANGED = "canary_changed", "canary changed"
        CANARY_PROMOTED = "canary_promoted", "canary promoted"
        CANARY_DROPPED = "canary_dropped", "canary dropped"
        VERSION_ARCHIVED = "version_archived", "version archived"
        VERSION_RESTORED = "version_restored", "version restored"
        ARCHIVED = "archived", "template archived"
        RESTORED = "restored", "template restored"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    template = models.ForeignKey(
        "templates_app.Template", on_delete=models.CASCADE, related_name="releases", db_index=False
    )
    version = models.ForeignKey(
        "templates_app.TemplateVersion", on_delete=models.CASCADE, null=True, related_name="+"
    )
    act = models.CharField(max_length=16, choices=Act.choices)
    percent = models.DecimalField(
        max_digits=5, decimal_places=2, null=True, help_text="Of the recipients, where it is about a canary."
    )
    by = models.CharField(max_length=150, blank=True, help_text="An operator's name, or which command.")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-id",)
        indexes = [models.Index(fields=["template", "-id"], name="template_release_history")]

    def __str__(self) -> str:
        return f"{self.get_act_display()} {self.version or self.template}"


def record(
    template: Template,
    act: TemplateRelease.Act,
    *,
    version: TemplateVersion | None = None,
    percent: Decimal | None = None,
    by: str = "",
) -> None:
    """Within the transaction that does it."""
    TemplateRelease.objects.create(
        tenant_id=template.tenant_id, template=template, version=version, act=act, percent=percent, by=by
    )
