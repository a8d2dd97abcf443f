import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import tenants.ids


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0007_erasure_indexes"),
        ("tenants", "0005_reply_words"),
    ]

    operations = [
        migrations.CreateModel(
            name="FrequencyPlaces",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("recipient_id", models.UUIDField()),
                (
                    "scope",
                    models.CharField(
                        help_text="sms …, all, category:<code>, category:<code>:sms …; test:… for test keys.",
                        max_length=100,
                    ),
                ),
                (
                    "given",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.DateTimeField(), default=list, size=None
                    ),
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
                "verbose_name_plural": "frequency places",
                "constraints": [
                    models.UniqueConstraint(fields=("recipient_id", "scope"), name="frequency_scope")
                ],
            },
        ),
    ]
