import django.db.models.deletion
from django.db import migrations, models

import tenants.ids


class Migration(migrations.Migration):
    dependencies = [("tenants", "0006_sending_rules")]

    operations = [
        migrations.CreateModel(
            name="LookupValue",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("type", models.CharField(max_length=32)),
                ("code", models.SlugField(db_index=False, max_length=64)),
                ("label", models.CharField(max_length=200)),
                (
                    "translations",
                    models.JSONField(
                        blank=True, default=dict, help_text='Locale → label, e.g. {"de": "Kunde"}.'
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "type", "code"), name="lookup_value_code")
                ],
            },
        ),
    ]
