from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils import timezone

from tenants.ids import new_id
from tenants.models import Tenant, loose_key


class Steering(models.TextChoices):
    """What an operator decided about an account by hand."""

    PIN = "pin", "pinned: used first, whatever its health"
    DRAIN = "drain", "drained: gets nothing new"


class ProviderAccount(models.Model):
    """Credentials and settings for one provider: a tenant's own, or, without a tenant, the installation's."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(
        Tenant,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        help_text="Empty: the installation's, used by every tenant that has none of its own for the channel.",
    )
    name = models.SlugField(max_length=64)
    channel = models.CharField(max_length=16)
    provider = models.CharField(max_length=32)
    settings = models.JSONField(default=dict, blank=True)
    secrets = models.BinaryField(default=b"", editable=False)
    secrets_key_id = models.CharField(max_length=32, blank=True, editable=False)
    priority = models.PositiveSmallIntegerField(default=10, help_text="The lowest number is used first.")
    weight = models.PositiveSmallIntegerField(
        default=100, help_text="Share among accounts of the same priority."
    )
    rate_per_second = models.PositiveIntegerField(
        null=True, blank=True, help_text="Messages, over all workers."
    )
    is_enabled = models.BooleanField(default=True)
    is_sandbox = models.BooleanField(default=False, help_text="Takes what test keys send, and nothing else.")
    health = models.FloatField(default=1.0, editable=False)
    health_at = models.DateTimeField(default=timezone.now, editable=False)
    health_reason = models.CharField(max_length=200, blank=True, editable=False)
    steering = models.CharField(max_length=5, choices=Steering.choices, blank=True, editable=False)
    steering_reason = models.CharField(max_length=200, blank=True, editable=False)
    steered_by = models.CharField(max_length=150, blank=True, editable=False)
    steered_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("channel", "priority", "name")
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="account_name", nulls_distinct=False),
        ]

    def __str__(self) -> str:
        return self.name


class DeliveryStatus(models.TextChoices):
    QUEUED = "queued"
    DEFERRED = "deferred"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    SUPPRESSED = "suppressed"
    EXPIRED = "expired"
    CANCELED = "canceled"


URGENT = 0
"""The priority that waits for nothing."""
HELD = "account_rate"
"""The reason of a delivery that waits for its turn at an account's rate."""
PARKED = "account_down"
"""The reason of a delivery that waits for its account to be mended: there is no other, and no other route."""
WAITING = (DeliveryStatus.QUEUED, DeliveryStatus.DEFERRED)
IN_FLIGHT = (*WAITING, DeliveryStatus.SENDING)


class Delivery(models.Model):
    """One leg of a notification: routes in order, the first used, the rest its failover chain.

    It carries all that dispatch needs, so nothing here ever reads a notification.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = loose_key(Tenant)
    notification_id = models.UUIDField(db_index=True)
    recipient_id = models.UUIDField(null=True)
    category = models.CharField(max_length=64)
    priority = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=10, choices=DeliveryStatus.choices, default=DeliveryStatus.QUEUED)
    reason = models.CharField(max_length=64, blank=True)
    detail = models.CharField(
        max_length=500, blank=True, help_text="The reason in words, where there are any."
    )
    routes = models.JSONField(help_text="[[channel, address], …]")
    route = models.PositiveSmallIntegerField(default=0, help_text="Index of the route in use.")
    channel = models.CharField(max_length=16)
    address = models.CharField(max_length=4096)
    template_version_id = models.UUIDField(null=True)
    locale = models.CharField(max_length=35)
    payload = models.JSONField(help_text="{data | content, overrides?}: what rendering needs.")
    is_test = models.BooleanField(default=False)
    unknown_policy = models.CharField(max_length=6)
    deadline = models.DateTimeField(null=True)
    due_at = models.DateTimeField(default=timezone.now, help_text="Not to be sent before.")
    ring_at = models.DateTimeField(default=timezone.now, help_text="When the sweeper rings for it (again).")
    lease_until = models.DateTimeField(null=True)
    attempt = models.PositiveIntegerField(default=0, help_text="Number of the last attempt.")
    tries = models.PositiveSmallIntegerField(default=0, help_text="Failed tries with the account in use.")
    account_id = models.UUIDField(null=True, help_text="The account last used.")
    spent_accounts = models.JSONField(default=list, help_text="Accounts given up on for the route in use.")
    within = models.PositiveIntegerField(null=True, help_text="Seconds that a route has before the next.")
    escalate_at = models.DateTimeField(null=True, help_text="When the next channel's turn comes.")
    escalated_from = models.UUIDField(null=True, help_text="The delivery that was not answered in time.")
    rings_with = models.UUIDField(null=True, help_text="The first of those that ring together, one a device.")
    created_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True, help_text="Told only of a delivery that has `within`.")
    decided_by = models.BigIntegerField(
        null=True, help_text="The versions of the rules that it was planned by: see `consent`."
    )

    class Meta:
        verbose_name_plural = "deliveries"
        permissions = [("reveal_address", "Can see whole addresses")]
        indexes = [
            models.Index(fields=["tenant", "id"], name="delivery_tenant"),
            models.Index(
                fields=["ring_at"],
                name="delivery_ring",
                condition=models.Q(status__in=WAITING),
            ),
            models.Index(
                fields=["lease_until"],
                name="delivery_lease",
                condition=models.Q(status=DeliveryStatus.SENDING),
            ),
            models.Index(
                fields=["account_id", "priority"],
                name="delivery_held",
                condition=models.Q(status=DeliveryStatus.QUEUED, reason=HELD),
            ),
            models.Index(
                fields=["tenant", "reason", "id"],
                name="delivery_dead_letter",
                condition=models.Q(status=DeliveryStatus.FAILED),
            ),
            models.Index(
                fields=["escalate_at"],
                name="delivery_escalation",
                condition=models.Q(escalate_at__isnull=False),
            ),
            models.Index(
                fields=["tenant", "recipient_id"],
                name="delivery_deferred",
                condition=models.Q(status=DeliveryStatus.DEFERRED),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} · {self.status}"


class StoredFile(models.Model):
    """An attachment's content, which stands in the storage under its hash."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    sha256 = models.CharField(max_length=64)
    size = models.PositiveIntegerField(help_text="Bytes.")
    keep_until = models.DateTimeField(help_text="Purged after that: by then nothing needs it any more.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "sha256"], name="stored_file_hash")]
        indexes = [models.Index(fields=["keep_until"], name="stored_file_age")]

    def __str__(self) -> str:
        return self.sha256[:12]


class Outcome(models.TextChoices):
    """How an attempt ended: sent, or one of the five kinds of error."""

    SENT = "sent"
    TRANSIENT = "transient"
    RATE_LIMITED = "rate_limited"
    ACCOUNT = "account"
    ADDRESS = "address"
    UNKNOWN = "unknown"


class Attempt(models.Model):
    """One call to one provider for one delivery. Written once, never changed."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = loose_key(Tenant)
    delivery = loose_key(Delivery)
    number = models.PositiveIntegerField()
    route = models.PositiveSmallIntegerField(default=0, help_text="Index of the route it was made by.")
    channel = models.CharField(max_length=16)
    provider = models.CharField(max_length=32, blank=True)
    account_id = models.UUIDField(null=True)
    account_name = models.CharField(max_length=64, blank=True)
    chosen_because = models.CharField(max_length=200, blank=True)
    outcome = models.CharField(max_length=12, choices=Outcome.choices)
    code = models.CharField(max_length=64, blank=True, help_text="The vendor's own.")
    detail = models.CharField(max_length=500, blank=True)
    provider_message_id = models.CharField(max_length=255, blank=True)
    part_ids = ArrayField(
        models.CharField(max_length=255),
        default=list,
        db_default=models.Value([]),
        blank=True,
        help_text="The vendor's ids of its parts, if it left in several.",
    )
    started_at = models.DateTimeField()
    latency_ms = models.PositiveIntegerField(default=0)
    next_step = models.CharField(max_length=200, blank=True, help_text="What was decided after it, and why.")

    class Meta:
        indexes = [
            models.Index(fields=["delivery"], name="attempt_delivery"),
            models.Index(
                fields=["account_id", "provider_message_id"],
                name="attempt_message",
                condition=~models.Q(provider_message_id=""),
            ),
            GinIndex(fields=["part_ids"], name="attempt_parts", condition=~models.Q(part_ids=[])),
        ]

    def __str__(self) -> str:
        return f"{self.number}: {self.outcome}"


class Receipt(models.Model):
    """What a provider later said of an attempt. A repeated event is refused by the unique key.

    A receipt can be here before the attempt it speaks of is recorded: it is pending then, and the sweeper
    lets it take effect. One that came without our reference has no delivery either until then.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = loose_key(Tenant, null=True)
    account_id = models.UUIDField()
    delivery = loose_key(Delivery, null=True)
    attempt = models.PositiveIntegerField(null=True, help_text="Number of the attempt it speaks of.")
    provider_message_id = models.CharField(max_length=255)
    event_id = models.CharField(max_length=255)
    status = models.CharField(max_length=16)
    kind = models.CharField(max_length=12, blank=True, help_text="For a failure: the kind of error.")
    code = models.CharField(max_length=64, blank=True)
    detail = models.CharField(max_length=500, blank=True)
    is_permanent = models.BooleanField(default=False, help_text="The address will never work.")
    is_pending = models.BooleanField(default=False, help_text="Has not taken effect yet.")
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account_id", "event_id"], name="receipt_event")]
        indexes = [
            models.Index(fields=["delivery"], name="receipt_delivery"),
            models.Index(fields=["received_at"], name="receipt_pending", condition=models.Q(is_pending=True)),
        ]

    def __str__(self) -> str:
        return self.status


class Reply(models.Model):
    """What somebody wrote to an account of ours. The vendor's repetition is refused by the unique key."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = loose_key(Tenant, null=True)
    account_id = models.UUIDField()
    channel = models.CharField(max_length=16)
    event_id = models.CharField(max_length=255)
    sender = models.CharField(max_length=255, help_text="Their address on the channel.")
    to = models.CharField(max_length=255, help_text="Ours.")
    text = models.CharField(max_length=1600)
    wish = models.CharField(max_length=5, blank=True, help_text="What its words ask for: stop or start.")
    occurred_at = models.DateTimeField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "replies"
        constraints = [models.UniqueConstraint(fields=["account_id", "event_id"], name="reply_event")]
        indexes = [
            models.Index(fields=["account_id", "sender", "-occurred_at"], name="reply_sender"),
            models.Index(fields=["tenant", "id"], name="reply_tenant"),
        ]

    def __str__(self) -> str:
        return f"{self.channel}: {self.wish or 'reply'}"
