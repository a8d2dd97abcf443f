from __future__ import annotations

from django.db import models

from tenants.ids import new_id
from tenants.models import Tenant


class Template(models.Model):
    """What a tenant says on one occasion, under a code that its services call it by."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    code = models.SlugField(max_length=100)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    category = models.SlugField(max_length=64, default="transactional")
    channels = models.JSONField(
        default=list,
        blank=True,
        help_text='Used when the request names none, e.g. ["email"].',
    )
    published = models.ForeignKey(
        "TemplateVersion",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("code",)
        constraints = [
            models.UniqueConstraint(fields=["tenant", "code"], name="template_code")
        ]

    def __str__(self) -> str:
        return self.code


class TemplateVersion(models.Model):
    """One wording of a template. A draft may change; once published it never does."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    template = models.ForeignKey(
        Template, on_delete=models.CASCADE, related_name="versions"
    )
    number = models.PositiveIntegerField()
    variables = models.JSONField(
        default=list, editable=False, help_text="Names that the data must hold."
    )
    sample_data = models.JSONField(default=dict, blank=True)
    published_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-number",)
        constraints = [
            models.UniqueConstraint(
                fields=["template", "number"], name="template_version_number"
            )
        ]

    def __str__(self) -> str:
        return f"{self.template.code} v{self.number}"


class TemplateContent(models.Model):
    """The words of a version for one channel in one locale. Each field is a MiniJinja source."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    version = models.ForeignKey(
        TemplateVersion, on_delete=models.CASCADE, related_name="contents"
    )
    channel = models.CharField(max_length=16)
    locale = models.CharField(max_length=35, help_text="BCP 47, e.g. en or pt-BR.")
    subject = models.TextField(blank=True)
    title = models.TextField(blank=True)
    body = models.TextField(blank=True)
    html = models.TextField(blank=True)

    class Meta:
        ordering = ("channel", "locale")
        constraints = [
            models.UniqueConstraint(
                fields=["version", "channel", "locale"], name="template_content_part"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} · {self.locale}"
