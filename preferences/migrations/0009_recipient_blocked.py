from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """The recipients that a tenant sends nothing."""

    atomic = False
    dependencies = [("preferences", "0008_transactional_categories")]
    operations = [
        AddIndexConcurrently(
            model_name="recipient",
            index=models.Index(
                condition=models.Q(("block", ""), _negated=True),
                fields=["tenant", "id"],
                name="recipient_blocked",
            ),
        ),
    ]
