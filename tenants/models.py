from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

from tenants.ids import new_id
from tenants.lookups import LookupValue

__all__ = ["SCOPES", "ApiKey", "LookupValue", "Tenant", "hash_key", "loose_key", "validate_scopes"]


def loose_key(to: type[models.Model] | str, **options: Any) -> models.ForeignKey:  # type: ignore[type-arg]
    """A foreign key the database does not check: on the hot tables each check would cost a row lock."""
    return models.ForeignKey(
        to,
        models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
        **options,
    )


SCOPES = {
    "notifications:send": "Send notifications and cancel them",
    "notifications:read": "Read notifications and batches",
    "recipients:write": "Create, change and erase recipients, mint their tokens",
    "recipients:read": "Read recipients",
    "events:publish": "Publish events",
    "schedules:write": "Create and change schedules",
}


class FrequencyThen(models.TextChoices):
    """What becomes of a message that a frequency cap has no room for."""

    DROP = "drop", "not sent"
    DIGEST = "digest", "told with others once there is room"
    DEFER = "defer", "sent once there is room"


class Tenant(models.Model):
    """A customer of this installation: every other row belongs to one."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    slug = models.SlugField(max_length=63, unique=True)
    name = models.CharField(max_length=200)
    locale = models.CharField(
        max_length=35,
        default="en",
        help_text="BCP 47; used where a recipient has none.",
    )
    timezone = models.CharField(
        max_length=64,
        default="UTC",
        help_text="IANA name; used where a recipient has none.",
    )
    country = models.CharField(
        max_length=2,
        default="US",
        help_text="ISO 3166; how a phone number without + is read.",
    )
    default_channels = models.JSONField(
        default=list,
        blank=True,
        help_text='Used when neither request nor template names any, e.g. ["in_app", "email"].',
    )
    fallback = models.JSONField(
        default=dict,
        blank=True,
        help_text='The chain of a channel that is named alone, e.g. {"sms": ["sms", "whatsapp", "email"]}.',
    )
    account_order = models.JSONField(
        default=dict,
        blank=True,
        help_text='Accounts to use first, by name, before all priorities, e.g. {"sms": ["main", "backup"]}.',
    )
    alert_recipients = models.JSONField(
        default=list,
        blank=True,
        help_text='Who is told when deliveries fail and it is not the recipient\'s fault, e.g. ["ops-1"].',
    )
    sms_max_segments = models.PositiveSmallIntegerField(
        "most parts of a text message",
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(255)],
        help_text="Longer ones are not sent. Each part is charged as an SMS.",
    )
    sms_transliterate = models.BooleanField(
        "spell text messages in GSM-7",
        default=False,
        help_text="Curly quotes made straight, accents taken off, where that spares the message UCS-2.",
    )
    reply_words = models.JSONField(
        default=dict,
        blank=True,
        help_text="What people may answer an SMS or a WhatsApp message with, besides the words that every "
        'tenant has; those of a locale replace them, e.g. {"stop": {"fi": ["lopeta"]}, "start": {}}.',
    )
    quiet_lets_urgent_pass = models.BooleanField(
        "urgent messages pass quiet hours", default=True, help_text="Priority `urgent`, such as a code."
    )
    quiet_lets_critical_pass = models.BooleanField(
        "critical categories pass quiet hours", default=True, help_text="Also do-not-disturb."
    )
    quiet_holds_in_app = models.BooleanField(
        "quiet hours hold the feed too", default=False, help_text="It does not ring, so it need not wait."
    )
    quiet_digest = models.BooleanField(
        "tell together what quiet hours held", default=False, help_text="Recipients may choose themselves."
    )
    release_spread = models.PositiveSmallIntegerField(
        "seconds to spread a release over",
        default=600,
        help_text="What was held until 07:00 leaves between then and so much later, each person at a time "
        "of their own.",
    )
    frequency = models.JSONField(
        "frequency caps",
        default=dict,
        blank=True,
        help_text="The most that a recipient gets, by channel or of all: "
        '{"sms": {"max": 5, "per": "day"}, "all": {"max": 20, "per": "week", "then": "defer"}}.',
    )
    frequency_then = models.CharField(
        "what becomes of one too many",
        max_length=6,
        choices=FrequencyThen.choices,
        default=FrequencyThen.DROP,
        help_text="Where the cap does not say, as those of recipients and categories.",
    )
    frequency_lets_urgent_pass = models.BooleanField(
        "urgent messages pass frequency caps", default=True, help_text="They count all the same."
    )
    frequency_lets_critical_pass = models.BooleanField(
        "critical categories pass frequency caps", default=True, help_text="They count all the same."
    )
    holidays = models.JSONField(
        default=list,
        blank=True,
        help_text="For the categories that skip them: dates, or days of each year, e.g. "
        '["2027-03-26", "12-25"].',
    )
    blocked_channels = models.JSONField(
        default=dict, blank=True, help_text='Channels not used, and why, e.g. {"sms": "contract has ended"}.'
    )
    rules_version = models.PositiveIntegerField(
        default=0, editable=False, help_text="Counts the changes of what decides about all its recipients."
    )
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("slug",)

    def __str__(self) -> str:
        return self.name


def hash_key(secret: str) -> str:
    """A key holds 240 random bits: a round of SHA-256 is as strong as any slow hash, at a microsecond."""
    return hashlib.sha256(secret.encode()).hexdigest()


def validate_scopes(scopes: list[str]) -> None:
    if unknown := sorted(set(scopes) - set(SCOPES)):
        raise ValidationError(f"Unknown scopes: {', '.join(unknown)}. Known: {', '.join(SCOPES)}.")


class ApiKey(models.Model):
    """A service's credential. Only its hash is kept; `prefix` is what people recognise it by."""

    class Mode(models.TextChoices):
        LIVE = "live"
        TEST = "test", "test (messages go to the sandbox)"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=200, blank=True)
    mode = models.CharField(max_length=4, choices=Mode.choices, default=Mode.LIVE)
    prefix = models.CharField(max_length=20, editable=False)
    key_hash = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.JSONField(default=list, validators=[validate_scopes])
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.prefix}…"

    @classmethod
    def issue(
        cls, *, tenant: Tenant, scopes: list[str], mode: str = Mode.LIVE, **fields: Any
    ) -> tuple[ApiKey, str]:
        """A new key and its secret, which cannot be had again."""
        validate_scopes(scopes)
        secret = f"ck_{mode}_{secrets.token_urlsafe(30)}"
        key = cls.objects.create(
            tenant=tenant,
            scopes=scopes,
            mode=mode,
            prefix=secret[:14],
            key_hash=hash_key(secret),
            **fields,
        )
        return key, secret

    def is_valid(self, now: dt.datetime | None = None) -> bool:
        now = now or timezone.now()
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)
