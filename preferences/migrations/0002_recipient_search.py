from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """How an address begins is what operators know of it."""

    atomic = False
    dependencies = [("preferences", "0001_initial")]
    operations = [
        AddIndexConcurrently(
            model_name="recipient",
            index=models.Index(
                condition=models.Q(("email", ""), _negated=True),
                fields=["email"],
                name="recipient_email",
                opclasses=["varchar_pattern_ops"],
            ),
        ),
        AddIndexConcurrently(
            model_name="recipient",
            index=models.Index(
                condition=models.Q(("phone", ""), _negated=True),
                fields=["phone"],
                name="recipient_phone",
                opclasses=["varchar_pattern_ops"],
            ),
        ),
    ]
