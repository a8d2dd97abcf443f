import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("delivery", "0005_escalation_index"),
    ]

    operations = [
        migrations.AddField(
            model_name="attempt",
            name="part_ids",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=255),
                blank=True,
                db_default=models.Value([]),
                default=list,
                help_text="The vendor's ids of its parts, if it left in several.",
                size=None,
            ),
        ),
    ]
