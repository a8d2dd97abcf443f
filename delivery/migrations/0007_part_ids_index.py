import django.contrib.postgres.indexes
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("delivery", "0006_part_ids"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="attempt",
            index=django.contrib.postgres.indexes.GinIndex(
                condition=models.Q(("part_ids", []), _negated=True), fields=["part_ids"], name="attempt_parts"
            ),
        ),
    ]
