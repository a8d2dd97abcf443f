"""How a tenant's messages look: layouts around the content of its mails, partials in any part, its brand.

A version takes them in when it is published (`templates_app.kit`), so to change one of these changes nothing
that was published before.
"""

from __future__ import annotations

from typing import Any

from django.core.validators import RegexValidator
from django.db import models, transaction

from tenants.ids import new_id
from tenants.models import Tenant

NO_LAYOUT = "none"
"""What a content names as its layout to have none, not even the tenant's default."""

_COLOR = RegexValidator(r"^#[0-9a-fA-F]{6}$", "This is not a colour such as #4f46e5.")


class Layout(models.Model):
    """What stands around the content of mails: `{{ content }}` says where that goes."""

    class Format(models.TextChoices):
        HTML = "html", "HTML"
        MJML = "mjml", "MJML"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    code = models.SlugField(max_length=100)
    name = models.CharField(max_length=200)
    format = models.CharField(max_length=8, choices=Format.choices, default=Format.HTML)
    source = models.TextField(help_text="{{ content }} is where the content goes.")
    is_default = models.BooleanField(
        "default", default=False, help_text="For every mail that names no layout of its own."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("code",)
        constraints = [
            models.UniqueConstraint(fields=["tenant", "code"], name="layout_code"),
            models.UniqueConstraint(
                fields=["tenant"], condition=models.Q(is_default=True), name="layout_default"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """A new default takes the place of the one before."""
        with transaction.atomic():
            if self.is_default:
                others = Layout.objects.filter(tenant=self.tenant_id, is_default=True).exclude(pk=self.pk)
                others.update(is_default=False)
            super().save(*args, **kwargs)


class Partial(models.Model):
    """A piece that several templates share: `{% include "code" %}` in any part."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    code = models.SlugField(max_length=100)
    name = models.CharField(max_length=200)
    source = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("code",)
        constraints = [models.UniqueConstraint(fields=["tenant", "code"], name="partial_code")]

    def __str__(self) -> str:
        return self.name


class Brand(models.Model):
    """What `brand.*` stands for in every part of a template."""

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, primary_key=True, related_name="+")
    name = models.CharField(max_length=200, blank=True, help_text="The tenant's name unless said otherwise.")
    website = models.URLField(blank=True)
    logo_url = models.URLField("logo", blank=True, help_text="An image, some 40 pixels high.")
    postal_address = models.TextField(
        blank=True,
        help_text="Many laws ask for it in marketing mails, such as CAN-SPAM, 15 U.S.C. 7704(a)(5).",
    )
    primary_color = models.CharField(max_length=7, default="#4f46e5", validators=[_COLOR])
    background_color = models.CharField(max_length=7, default="#f3f4f7", validators=[_COLOR])
    text_color = models.CharField(max_length=7, default="#1d2430", validators=[_COLOR])
    changed_at = models.DateTimeField(auto_now=True)

    FIELDS = (
        *("name", "website", "logo_url", "postal_address"),
        *("primary_color", "background_color", "text_color"),
    )

    def __str__(self) -> str:
        return self.name or self.tenant.name

    @classmethod
    def of(cls, tenant: Tenant) -> Brand:
        """The tenant's, or the one it has until it says anything; that is not stored."""
        return cls.objects.filter(tenant=tenant).first() or cls(tenant=tenant)

    def words(self) -> dict[str, str]:
        """Field → value, each of them there."""
        said = {name: str(getattr(self, name)) for name in self.FIELDS}
        return said | {"name": said["name"] or self.tenant.name}
