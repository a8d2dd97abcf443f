import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import tenants.ids


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0005_digest_index"),
        ("tenants", "0005_reply_words"),
    ]

    operations = [
        migrations.CreateModel(
            name="Erasure",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "subject_hash",
                    models.CharField(
                        help_text="Of the identity or the address that was given.", max_length=64
                    ),
                ),
                (
                    "key_id",
                    models.CharField(
                        help_text="The key of `SUPPRESSION_KEYS` that it is made with.", max_length=32
                    ),
                ),
                (
                    "subject",
                    models.JSONField(
                        default=dict, help_text="Who, and what is left to do. Empty when it is done."
                    ),
                ),
                (
                    "asked_by",
                    models.CharField(
                        help_text="An API key's prefix, or a member of the staff.", max_length=200
                    ),
                ),
                (
                    "covers_until",
                    models.DateTimeField(help_text="What was accepted later belongs to somebody new."),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("running", "Running"), ("done", "Done")], default="running", max_length=7
                    ),
                ),
                ("counts", models.JSONField(default=dict, help_text="Rows by table.")),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.tenant"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("status", "running")),
                        fields=("tenant", "subject_hash"),
                        name="erasure_running",
                    )
                ],
                "indexes": [models.Index(fields=["tenant", "id"], name="erasure_tenant")],
            },
        ),
    ]
