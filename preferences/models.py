from __future__ import annotations

from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from tenants.ids import new_id
from tenants.models import Tenant

ADDRESS_LENGTH = 2048  # what a PostgreSQL index entry holds, with the tenant beside it


class Recipient(models.Model):
    """A person (or a service) of a tenant, under the tenant's own id and type."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    external_id = models.CharField("ID", max_length=255, help_text="The tenant's own id.")
    type = models.CharField(max_length=64, default="user")
    email = models.EmailField(max_length=320, blank=True)
    phone = models.CharField(max_length=16, blank=True, help_text="E.164, e.g. +15005550006.")
    locale = models.CharField(max_length=35, blank=True)
    timezone = models.CharField(max_length=64, blank=True)
    slack = models.CharField(max_length=500, blank=True)
    discord = models.CharField(max_length=500, blank=True)
    webhook = models.URLField(max_length=ADDRESS_LENGTH, blank=True)
    quiet_hours = models.JSONField(
        null=True,
        blank=True,
        help_text='E.g. {"enabled": true, "start": "22:00", "end": "07:00", "timezone": "Europe/Berlin"}.',
    )
    do_not_disturb_until = models.DateTimeField(null=True, blank=True)
    frequency = models.JSONField(
        null=True, blank=True, help_text='At most so many, by channel: {"sms": {"max": 5, "per": "day"}}.'
    )
    block = models.CharField(
        max_length=200,
        blank=True,
        db_default="",
        help_text="Why the tenant sends them nothing; empty where it does.",
    )
    preferences_version = models.PositiveIntegerField(
        db_default=0, default=0, editable=False, help_text="Counts the changes of what decides about them."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "type", "external_id"], name="recipient_identity"),
        ]
        indexes = [
            models.Index(fields=["tenant", "id"], name="recipient_tenant"),
            models.Index(fields=["tenant", "updated_at"], name="recipient_updated"),
            models.Index(
                models.F("tenant"),
                Lower("email"),
                name="recipient_mailbox",
                condition=~models.Q(email=""),
            ),
            # how an id or an address begins, which operators look for in any tenant
            models.Index(
                fields=["external_id"],
                name="recipient_external_id",
                opclasses=["varchar_pattern_ops"],
            ),
            models.Index(
                fields=["email"],
                name="recipient_email",
                opclasses=["varchar_pattern_ops"],
                condition=~models.Q(email=""),
            ),
            models.Index(
                fields=["phone"],
                name="recipient_phone",
                opclasses=["varchar_pattern_ops"],
                condition=~models.Q(phone=""),
            ),
            models.Index(fields=["tenant", "id"], name="recipient_blocked", condition=~models.Q(block="")),
        ]

    def __str__(self) -> str:
        return self.external_id


class Device(models.Model):
    """An installation of an app or a browser that takes push messages."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    recipient = models.ForeignKey(Recipient, on_delete=models.CASCADE, related_name="devices")
    token = models.CharField(max_length=ADDRESS_LENGTH)
    platform = models.CharField(max_length=16, blank=True, help_text="android, ios, web …")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)
        constraints = [models.UniqueConstraint(fields=["tenant", "token"], name="device_token")]

    def __str__(self) -> str:
        return f"{self.platform or 'device'} {self.token[:8]}…"


class Preference(models.Model):
    """One switch of one recipient: a channel altogether, or within a category or a template."""

    class Level(models.TextChoices):
        CHANNEL = "channel"
        CATEGORY = "category"
        TEMPLATE = "template"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    recipient = models.ForeignKey(Recipient, on_delete=models.CASCADE, related_name="preferences")
    level = models.CharField(max_length=8, choices=Level.choices)
    key = models.CharField(
        max_length=100, blank=True, help_text="The category's or the template's code; empty for a channel."
    )
    channel = models.CharField(max_length=16)
    enabled = models.BooleanField()
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "recipient", "level", "key", "channel"],
                name="preference_switch",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key or 'all'} by {self.channel}: {'on' if self.enabled else 'off'}"


class Category(models.Model):
    """What kind of thing a notification is. Preferences speak of categories."""

    class UnknownPolicy(models.TextChoices):
        """What to do when a provider may or may not have taken the message."""

        RESEND = "resend", "send again at once"
        WAIT = "wait", "wait for a receipt"
        STOP = "stop", "stop, and call it failed"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    code = models.SlugField(max_length=64)
    name = models.CharField(max_length=200)
    is_critical = models.BooleanField(default=False, help_text="Goes out whatever the recipient prefers.")
    unknown_policy = models.CharField(
        max_length=6, choices=UnknownPolicy.choices, default=UnknownPolicy.RESEND
    )
    is_transactional = models.BooleanField(
        default=False, help_text="About people's own affairs: its messages need no unsubscribe link."
    )
    channels = models.JSONField(
        default=list, blank=True, help_text="The channels that it may use; empty: all of them."
    )
    defaults = models.JSONField(
        default=dict,
        blank=True,
        help_text='Where the recipient says nothing, e.g. {"sms": false}; channels left out are on.',
    )
    frequency = models.JSONField(
        default=dict,
        blank=True,
        help_text='At most so many to a recipient, by channel: {"email": {"max": 2, "per": "week"}}.',
    )
    sending_hours = models.JSONField(
        null=True,
        blank=True,
        help_text="When it may be sent, by the recipient's clock: "
        '{"start": "09:00", "end": "20:00", "days": ["mon", "tue", "wed", "thu", "fri"]}.',
    )
    skips_holidays = models.BooleanField(default=False, help_text="Not sent on the tenant's holidays.")
    block = models.CharField(
        max_length=200, blank=True, help_text="Why nothing of it is sent; empty where it is."
    )

    class Meta:
        verbose_name_plural = "categories"
        constraints = [models.UniqueConstraint(fields=["tenant", "code"], name="category_code")]

    def __str__(self) -> str:
        return self.name


class Suppression(models.Model):
    """An address that must not be written to by a channel, whoever asks.

    The address itself is not kept, only its hash under a key of the installation (`keyed`), so that the row
    may outlive the erasure of the person whose address it was. Until then a mask stands beside it.
    """

    class Reason(models.TextChoices):
        BOUNCED = "bounced", "hard bounce"
        COMPLAINED = "complained", "complaint"
        UNSUBSCRIBED = "unsubscribed"
        INVALID = "invalid", "the provider refused the address"
        MANUAL = "manual"

    class Source(models.TextChoices):
        """Who said so."""

        RECEIPT = "receipt", "a provider's receipt"
        ATTEMPT = "attempt", "a provider's answer"
        REPLY = "reply", "the person's reply"
        UNSUBSCRIBE = "unsubscribe", "the person, by a link"
        OPERATOR = "operator"
        IMPORT = "import"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    channel = models.CharField(max_length=16)
    address_hash = models.CharField(max_length=64, help_text="HMAC-SHA-256 of channel and address.")
    key_id = models.CharField(max_length=32, help_text="The key of `SUPPRESSION_KEYS` that it is made with.")
    mask = models.CharField(max_length=255, blank=True, help_text="Of the address, until it is erased.")
    reason = models.CharField(max_length=12, choices=Reason.choices)
    source = models.CharField(max_length=11, choices=Source.choices)
    reference = models.CharField(
        max_length=255,
        blank=True,
        help_text="What of the source: a delivery, a reply, a member of the staff.",
    )
    since = models.DateTimeField(default=timezone.now, help_text="For an import: as the file says.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "channel", "address_hash"], name="suppression_hash"),
        ]
        indexes = [
            models.Index(fields=["tenant", "id"], name="suppression_tenant"),
            models.Index(fields=["key_id"], name="suppression_key"),
        ]

    def __str__(self) -> str:
        return f"{self.channel}: {self.reason}"
