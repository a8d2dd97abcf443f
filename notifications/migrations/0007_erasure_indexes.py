from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models.fields.json import KT
from django.db.models.functions import Lower


class Migration(migrations.Migration):
    """Who is to be forgotten is found by an address that was used once, and a file by those who have it."""

    atomic = False
    dependencies = [("notifications", "0006_erasure")]
    operations = [
        AddIndexConcurrently(
            model_name="notification",
            index=models.Index(
                models.F("tenant"),
                Lower(KT("recipient_once__email")),
                condition=models.Q(("recipient_once__isnull", False)),
                name="notification_once_email",
            ),
        ),
        AddIndexConcurrently(
            model_name="notification",
            index=models.Index(
                models.F("tenant"),
                KT("recipient_once__phone"),
                condition=models.Q(("recipient_once__isnull", False)),
                name="notification_once_phone",
            ),
        ),
        AddIndexConcurrently(
            model_name="notification",
            index=GinIndex(
                OpClass(models.F("overrides__email__attachments"), name="jsonb_path_ops"),
                condition=models.Q(("overrides__email__attachments__isnull", False)),
                name="notification_files",
            ),
        ),
    ]
