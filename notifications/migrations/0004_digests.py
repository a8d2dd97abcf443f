import django.db.models.deletion
from django.db import migrations, models

import tenants.ids


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0003_feed_item_icon"),
        ("tenants", "0005_reply_words"),
    ]

    operations = [
        migrations.CreateModel(
            name="Digest",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("recipient_external_id", models.CharField(max_length=255)),
                ("recipient_type", models.CharField(max_length=64)),
                ("key", models.CharField(max_length=100)),
                ("window", models.CharField(max_length=32)),
                ("is_test", models.BooleanField(default=False)),
                ("opened_at", models.DateTimeField()),
                ("closes_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(null=True)),
                (
                    "notification_id",
                    models.UUIDField(help_text="What tells it.", null=True, unique=True),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("closed_at", None)), fields=["closes_at"], name="digest_due"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("closed_at", None)),
                        fields=("tenant", "recipient_type", "recipient_external_id", "key", "is_test"),
                        name="digest_open",
                    )
                ],
            },
        ),
        migrations.AddField(
            model_name="notification",
            name="digest",
            field=models.JSONField(
                help_text="{key, window}: to be told with others. Without a window: like one, but at once.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="notification",
            name="digest_id",
            field=models.UUIDField(help_text="The digest that it waits in, or that told it.", null=True),
        ),
        migrations.AddField(
            model_name="notification",
            name="is_digest",
            field=models.BooleanField(
                db_default=False, default=False, help_text="It tells a digest's events."
            ),
        ),
    ]
