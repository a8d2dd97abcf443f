from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models.fields.json import KT
from django.db.models.functions import Lower
from django.utils import timezone

from templates_app.digest_windows import KEY_LENGTH
from tenants.ids import new_id
from tenants.models import Tenant, loose_key


class Priority(models.IntegerChoices):
    """The numbers are the broker's priority steps: the lowest is taken first."""

    URGENT = 0
    HIGH = 3
    NORMAL = 6
    LOW = 9


class NotificationType(models.TextChoices):
    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    ERROR = "error"
    SYSTEM = "system"


class NotificationStatus(models.TextChoices):
    ACCEPTED = "accepted"
    SCHEDULED = "scheduled"
    PROCESSING = "processing"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    SUPPRESSED = "suppressed"
    EXPIRED = "expired"
    CANCELED = "canceled"


UNPLANNED = (NotificationStatus.ACCEPTED, NotificationStatus.SCHEDULED)
OPEN = (*UNPLANNED, NotificationStatus.PROCESSING)


class Notification(models.Model):
    """One thing to tell one recipient."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = loose_key(Tenant)
    recipient_external_id = models.CharField(max_length=255, blank=True)
    recipient_type = models.CharField(max_length=64, default="user")
    recipient_once = models.JSONField(null=True, help_text="Addresses given with the request, used once.")
    template_code = models.CharField(max_length=100, blank=True)
    template_version_id = models.UUIDField(null=True)
    data = models.JSONField(default=dict)
    content = models.JSONField(null=True, help_text="Ready content, instead of a template.")
    channels = models.JSONField(help_text="Names and failover chains (nested lists).")
    category = models.CharField(max_length=64)
    type = models.CharField(max_length=7, choices=NotificationType.choices)
    priority = models.PositiveSmallIntegerField(choices=Priority.choices)
    action = models.JSONField(null=True)
    send_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    reference = models.CharField(max_length=255, blank=True)
    metadata = models.JSONField(default=dict)
    overrides = models.JSONField(default=dict)
    batch_id = models.UUIDField(null=True)
    is_test = models.BooleanField(default=False)
    digest = models.JSONField(
        null=True, help_text="{key, window}: to be told with others. Without a window: like one, but at once."
    )
    digest_id = models.UUIDField(null=True, help_text="The digest that it waits in, or that told it.")
    is_digest = models.BooleanField(default=False, db_default=False, help_text="It tells a digest's events.")
    places = models.JSONField(
        null=True, help_text="What it was given under frequency caps: {recipient_id, scope, at}."
    )
    status = models.CharField(max_length=10, choices=NotificationStatus.choices)
    reason = models.CharField(max_length=64, blank=True)
    trace = models.JSONField(default=list, help_text="Every planning decision with its reason.")
    created_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "id"], name="notification_tenant"),
            models.Index(
                fields=["tenant", "recipient_external_id", "id"],
                name="notification_recipient",
                condition=~models.Q(recipient_external_id=""),
            ),
            models.Index(
                fields=["tenant", "reference"],
                name="notification_reference",
                condition=~models.Q(reference=""),
            ),
            models.Index(
                fields=["batch_id", "status"],
                name="notification_batch",
                condition=models.Q(batch_id__isnull=False),
            ),
            models.Index(
                fields=["tenant", "priority", "id"],
                name="notification_unplanned",
                condition=models.Q(status=NotificationStatus.ACCEPTED),
            ),
            # Who asks to be forgotten may have been described in requests, without an id.
            models.Index(
                models.F("tenant"),
                Lower(KT("recipient_once__email")),
                name="notification_once_email",
                condition=models.Q(recipient_once__isnull=False),
            ),
            models.Index(
                models.F("tenant"),
                KT("recipient_once__phone"),
                name="notification_once_phone",
                condition=models.Q(recipient_once__isnull=False),
            ),
            GinIndex(  # which of them have a file
                OpClass(models.F("overrides__email__attachments"), name="jsonb_path_ops"),
                name="notification_files",
                condition=models.Q(overrides__email__attachments__isnull=False),
            ),
            models.Index(
                fields=["send_at"],
                name="notification_scheduled",
                condition=models.Q(status=NotificationStatus.SCHEDULED),
            ),
            models.Index(
                fields=["digest_id", "id"],
                name="notification_digest",
                condition=models.Q(digest_id__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Digest(models.Model):
    """Events of one recipient that are told together: notifications join it until it closes.

    Then it is itself a notification, whose status its events share from then on. Test events have their own.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = loose_key(Tenant)
    recipient_external_id = models.CharField(max_length=255)
    recipient_type = models.CharField(max_length=64)
    key = models.CharField(max_length=KEY_LENGTH)
    window = models.CharField(max_length=32)
    is_test = models.BooleanField(default=False)
    opened_at = models.DateTimeField()
    closes_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    notification_id = models.UUIDField(null=True, unique=True, help_text="What tells it.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "recipient_type", "recipient_external_id", "key", "is_test"],
                condition=models.Q(closed_at=None),
                name="digest_open",
            )
        ]
        indexes = [models.Index(fields=["closes_at"], name="digest_due", condition=models.Q(closed_at=None))]

    def __str__(self) -> str:
        return f"{self.key} · {self.window}"


class FrequencyPlaces(models.Model):
    """The places that a recipient was given under frequency caps, in one scope; those of the last month.

    Only where there is a cap. Whoever gives one locks the row, so that nobody gives the last one twice.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = loose_key(Tenant)
    recipient_id = models.UUIDField()
    scope = models.CharField(
        max_length=100, help_text="sms …, all, category:<code>, category:<code>:sms …; test:… for test keys."
    )
    given = ArrayField(models.DateTimeField(), default=list)

    class Meta:
        verbose_name_plural = "frequency places"
        constraints = [models.UniqueConstraint(fields=["recipient_id", "scope"], name="frequency_scope")]

    def __str__(self) -> str:
        return self.scope


class Intake(models.Model):
    """The ledger's left side: one line an accepted request, saying how many notifications it brought."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = loose_key(Tenant)
    accepted = models.PositiveIntegerField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["tenant"], name="intake_tenant")]

    def __str__(self) -> str:
        return f"{self.accepted} accepted"


class Batch(models.Model):
    """Notifications sent together. Its status is read off its notifications, never stored."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    token_hash = models.CharField(max_length=64)
    total_expected = models.PositiveIntegerField(null=True)
    canceled_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "batches"

    def __str__(self) -> str:
        return str(self.id)


class BatchChunk(models.Model):
    """A numbered part of a batch and the answer it got: the same number is answered again, not sent again."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="chunks")
    number = models.PositiveIntegerField()
    body_hash = models.CharField(max_length=64)
    answer = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["batch", "number"], name="batch_chunk_number")]

    def __str__(self) -> str:
        return f"{self.batch_id} · {self.number}"


class IdempotencyKey(models.Model):
    """A key a service sent with a request, and the first answer it got."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    request_hash = models.CharField(max_length=64, help_text="Of method, path and body.")
    status = models.PositiveSmallIntegerField(help_text="Of the answer.")
    body = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="idempotency_key")]
        indexes = [models.Index(fields=["created_at"], name="idempotency_age")]

    def __str__(self) -> str:
        return self.key


class Alert(models.Model):
    """What a tenant's operators were told last of one cause, so that they are not told each minute."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    cause = models.CharField(max_length=128)
    told_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "cause"], name="alert_cause")]

    def __str__(self) -> str:
        return self.cause


class Feed(models.Model):
    """A recipient's own list: where its numbering stands, and how many are unread."""

    recipient_id = models.UUIDField(primary_key=True)
    tenant = loose_key(Tenant)
    seq = models.BigIntegerField(default=0)
    unread = models.IntegerField(default=0)

    def __str__(self) -> str:
        return str(self.recipient_id)


class FeedItem(models.Model):
    """A notification as it stands in its recipient's feed. Its id is the notification's."""

    id = models.UUIDField(primary_key=True, editable=False)
    tenant = loose_key(Tenant)
    recipient_id = models.UUIDField()
    seq = models.BigIntegerField(help_text="Without gaps within a recipient's feed.")
    type = models.CharField(max_length=7, choices=NotificationType.choices)
    category = models.CharField(max_length=64)
    title = models.TextField(blank=True)
    body = models.TextField(blank=True)
    action = models.JSONField(null=True)
    icon = models.TextField(blank=True, help_text="An image's URL, or a name that the application knows.")
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)
    delivered_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True)
    clicked_at = models.DateTimeField(null=True, help_text="When its action was followed first.")
    archived_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["recipient_id", "seq"], name="feed_item_seq")]
        indexes = [
            models.Index(
                fields=["recipient_id", "seq"],
                name="feed_item_unread",
                condition=models.Q(read_at=None, deleted_at=None),
            )
        ]

    def __str__(self) -> str:
        return self.title


class Erasure(models.Model):
    """A person's wish to be forgotten, and what became of it. Whose it is, is known only while it runs."""

    class Status(models.TextChoices):
        RUNNING = "running"
        DONE = "done"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    subject_hash = models.CharField(max_length=64, help_text="Of the identity or the address that was given.")
    key_id = models.CharField(max_length=32, help_text="The key of `SUPPRESSION_KEYS` that it is made with.")
    subject = models.JSONField(default=dict, help_text="Who, and what is left to do. Empty when it is done.")
    asked_by = models.CharField(max_length=200, help_text="An API key's prefix, or a member of the staff.")
    covers_until = models.DateTimeField(help_text="What was accepted later belongs to somebody new.")
    status = models.CharField(max_length=7, choices=Status.choices, default=Status.RUNNING)
    counts = models.JSONField(default=dict, help_text="Rows by table.")
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "subject_hash"],
                name="erasure_running",
                condition=models.Q(status="running"),
            ),
        ]
        indexes = [models.Index(fields=["tenant", "id"], name="erasure_tenant")]

    def __str__(self) -> str:
        return f"erasure {self.status}"
