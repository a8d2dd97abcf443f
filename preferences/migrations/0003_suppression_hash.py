import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    """A suppression keeps a keyed hash in place of its address, and says who said so."""

    dependencies = [("preferences", "0002_recipient_search")]
    operations = [
        migrations.AddField(
            model_name="suppression",
            name="address_hash",
            field=models.CharField(
                max_length=64, null=True, help_text="HMAC-SHA-256 of channel and address."
            ),
        ),
        migrations.AddField(
            model_name="suppression",
            name="key_id",
            field=models.CharField(
                default="",
                help_text="The key of `SUPPRESSION_KEYS` that it is made with.",
                max_length=32,
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="suppression",
            name="mask",
            field=models.CharField(
                blank=True, default="", help_text="Of the address, until it is erased.", max_length=255
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="suppression",
            name="source",
            field=models.CharField(
                choices=[
                    ("receipt", "a provider's receipt"),
                    ("attempt", "a provider's answer"),
                    ("reply", "the person's reply"),
                    ("unsubscribe", "the person, by a link"),
                    ("operator", "Operator"),
                    ("import", "Import"),
                ],
                default="operator",
                max_length=11,
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="suppression",
            name="reference",
            field=models.CharField(
                blank=True,
                default="",
                help_text="What of the source: a delivery, a reply, a member of the staff.",
                max_length=255,
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="suppression",
            name="since",
            field=models.DateTimeField(
                default=django.utils.timezone.now, help_text="For an import: as the file says."
            ),
        ),
    ]
