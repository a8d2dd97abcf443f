from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import models

from templates_app.drafts import Draft
from templates_app.engine import PARTS
from templates_app.history import TemplateRelease
from templates_app.house_style import Brand, Layout, Partial
from tenants.ids import new_id
from tenants.models import Tenant

__all__ = [
    "Brand",
    "Layout",
    "Partial",
    "PublishedVersionError",
    "Template",
    "TemplateContent",
    "TemplateRelease",
    "TemplateVersion",
    "refuse_if_published",
]


class PublishedVersionError(ValidationError):
    """A published version, or a content of one, was about to be changed or deleted."""

    def __init__(self) -> None:
        super().__init__("A published version cannot be changed: make a new one.", code="published")


class Template(models.Model):
    """What a tenant says on one occasion, under a code that its services call it by."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    code = models.SlugField(max_length=100)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    category = models.SlugField(max_length=64, default="transactional")
    type = models.SlugField(
        max_length=64,
        blank=True,
        help_text="Of the tenant's own list of template types, for people to find it by.",
    )
    channels = models.JSONField(
        default=list,
        blank=True,
        help_text='Used when the request names none, e.g. ["email"].',
    )
    digest = models.JSONField(
        null=True,
        blank=True,
        help_text='Told together, and when: {"window": "daily 09:00"}, with a "key" if not by this code.',
    )
    published = models.ForeignKey(
        "TemplateVersion",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
    )
    canary = models.ForeignKey(
        "TemplateVersion",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        help_text="What some of the recipients get in place of the published version.",
    )
    canary_percent = models.DecimalField(
        max_digits=5, decimal_places=2, null=True, blank=True, editable=False, help_text="Of the recipients."
    )
    archived_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="No longer offered. What was accepted before is still sent, and the code is free again.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("code",)
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "code"],
                condition=models.Q(archived_at=None),
                name="template_code",
            ),
            models.CheckConstraint(
                condition=models.Q(canary=None, canary_percent=None)
                | models.Q(canary__isnull=False, canary_percent__gt=0, canary_percent__lte=100),
                name="template_canary",
            ),
        ]

    def __str__(self) -> str:
        return self.code


class TemplateVersion(models.Model):
    """One wording of a template. A draft may change; once published it never does (see the trigger).

    `archived_at` alone may: whether a version is offered says nothing about what it says.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    template = models.ForeignKey(Template, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    variables = models.JSONField(default=list, editable=False, help_text="Names that the data must hold.")
    schema = models.JSONField(
        null=True, blank=True, help_text="What the data must be like: a JSON Schema, draft 2020-12."
    )
    sample_data = models.JSONField(default=dict, blank=True)
    published_at = models.DateTimeField(null=True, blank=True, editable=False)
    archived_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="No longer offered for publishing; still sent."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-number",)
        constraints = [models.UniqueConstraint(fields=["template", "number"], name="template_version_number")]

    def __str__(self) -> str:
        return f"{self.template.code} v{self.number}"

    @property
    def status(self) -> Literal["draft", "published", "archived"]:
        """Published is what never changes, whether or not it is the version that is sent."""
        if self.archived_at is not None:
            return "archived"
        return "draft" if self.published_at is None else "published"

    def save(self, *args: Any, **kwargs: Any) -> None:
        refuse_if_published(self.pk)
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        refuse_if_published(self.pk)
        return super().delete(*args, **kwargs)


class TemplateContent(models.Model):
    """The words of a version for one channel in one locale. Each part is a MiniJinja source.

    `compiled` is what is rendered once the version is published: the parts with layout, partials and brand
    taken in, formats turned into HTML, styles in the elements. `made_of`: "layout:standard" → its hash.
    """

    class Format(models.TextChoices):
        HTML = "html", "HTML"
        MARKDOWN = "markdown", "Markdown"
        MJML = "mjml", "MJML"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    version = models.ForeignKey(TemplateVersion, on_delete=models.CASCADE, related_name="contents")
    channel = models.CharField(max_length=16)
    locale = models.CharField(max_length=35, help_text="BCP 47, e.g. en or pt-BR.")
    subject = models.TextField(blank=True)
    title = models.TextField(blank=True)
    body = models.TextField(blank=True)
    html = models.TextField(blank=True)
    overrides = models.TextField(blank=True, help_text="JSON: what the channel takes besides words.")
    format = models.CharField(
        max_length=8,
        choices=Format.choices,
        default=Format.HTML,
        help_text="What the HTML part is written in.",
    )
    layout = models.SlugField(
        max_length=100,
        blank=True,
        help_text='The code of what stands around the HTML part; empty for the default, "none" for nothing.',
    )
    compiled = models.JSONField(default=dict, editable=False)
    made_of = models.JSONField(default=dict, editable=False)

    class Meta:
        ordering = ("channel", "locale")
        constraints = [
            models.UniqueConstraint(fields=["version", "channel", "locale"], name="template_content_part"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} · {self.locale}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        refuse_if_published(self.version_id)
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        refuse_if_published(self.version_id)
        return super().delete(*args, **kwargs)

    def draft(self) -> Draft:
        return Draft(self.channel, self.locale, self.sources(), self.format, self.layout)

    def sources(self) -> dict[str, str]:
        """The parts that are there, by name."""
        return {part: source for part in PARTS if (source := getattr(self, part))}


def refuse_if_published(version_id: UUID) -> None:
    if TemplateVersion.objects.filter(pk=version_id, published_at__isnull=False).exists():
        raise PublishedVersionError
