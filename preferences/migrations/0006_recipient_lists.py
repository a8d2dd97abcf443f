from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Lower


class Migration(migrations.Migration):
    """A tenant's recipients as a list, and by what is known of them."""

    atomic = False
    dependencies = [("preferences", "0005_suppressions_without_addresses")]
    operations = [
        AddIndexConcurrently(
            model_name="recipient",
            index=models.Index(fields=["tenant", "id"], name="recipient_tenant"),
        ),
        AddIndexConcurrently(
            model_name="recipient",
            index=models.Index(fields=["tenant", "updated_at"], name="recipient_updated"),
        ),
        AddIndexConcurrently(
            model_name="recipient",
            index=models.Index(
                fields=["external_id"], name="recipient_external_id", opclasses=["varchar_pattern_ops"]
            ),
        ),
        AddIndexConcurrently(
            model_name="recipient",
            index=models.Index(
                models.F("tenant"),
                Lower("email"),
                condition=models.Q(("email", ""), _negated=True),
                name="recipient_mailbox",
            ),
        ),
    ]
