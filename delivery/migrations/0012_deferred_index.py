from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """What waits for a recipient's quiet hours to end, found when they change."""

    atomic = False
    dependencies = [("delivery", "0011_decided_by")]
    operations = [
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("status", "deferred")),
                fields=["tenant", "recipient_id"],
                name="delivery_deferred",
            ),
        ),
    ]
