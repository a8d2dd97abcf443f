from django.db import migrations, models


class Migration(migrations.Migration):
    """The addresses go: from here on only who knows one can find it."""

    dependencies = [("preferences", "0004_hash_suppressions")]
    operations = [
        migrations.RemoveConstraint(model_name="suppression", name="suppression_address"),
        migrations.RemoveField(model_name="suppression", name="address"),
        migrations.AlterField(
            model_name="suppression",
            name="address_hash",
            field=models.CharField(max_length=64, help_text="HMAC-SHA-256 of channel and address."),
        ),
        migrations.AddConstraint(
            model_name="suppression",
            constraint=models.UniqueConstraint(
                fields=("tenant", "channel", "address_hash"), name="suppression_hash"
            ),
        ),
        migrations.AddIndex(
            model_name="suppression",
            index=models.Index(fields=["tenant", "id"], name="suppression_tenant"),
        ),
        migrations.AddIndex(
            model_name="suppression",
            index=models.Index(fields=["key_id"], name="suppression_key"),
        ),
    ]
