import django.db.models.deletion
from django.db import migrations, models

import tenants.ids


class Migration(migrations.Migration):
    dependencies = [
        ("delivery", "0007_part_ids_index"),
        ("tenants", "0003_fallback_and_account_order"),
    ]

    operations = [
        migrations.CreateModel(
            name="StoredFile",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("sha256", models.CharField(max_length=64)),
                ("size", models.PositiveIntegerField(help_text="Bytes.")),
                (
                    "keep_until",
                    models.DateTimeField(help_text="Purged after that: by then nothing needs it any more."),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.tenant"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["keep_until"], name="stored_file_age")],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "sha256"), name="stored_file_hash")
                ],
            },
        ),
    ]
