from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # CONCURRENTLY is refused in a transaction

    dependencies = [("notifications", "0004_digests")]

    operations = [
        AddIndexConcurrently(
            model_name="notification",
            index=models.Index(
                condition=models.Q(("digest_id__isnull", False)),
                fields=["digest_id", "id"],
                name="notification_digest",
            ),
        ),
    ]
