from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenants", "0007_lookup_values")]

    operations = [
        migrations.AddField(
            model_name="tenant",
            name="frequency",
            field=models.JSONField(
                blank=True,
                default=dict,
                help_text='The most that a recipient gets, by channel or of all: {"sms": {"max": 5, "per": "day"}, "all": {"max": 20, "per": "week", "then": "defer"}}.',
                verbose_name="frequency caps",
            ),
        ),
        migrations.AddField(
            model_name="tenant",
            name="frequency_then",
            field=models.CharField(
                choices=[
                    ("drop", "not sent"),
                    ("digest", "told with others once there is room"),
                    ("defer", "sent once there is room"),
                ],
                default="drop",
                help_text="Where the cap does not say, as those of recipients and categories.",
                max_length=6,
                verbose_name="what becomes of one too many",
            ),
        ),
        migrations.AddField(
            model_name="tenant",
            name="frequency_lets_urgent_pass",
            field=models.BooleanField(
                default=True,
                help_text="They count all the same.",
                verbose_name="urgent messages pass frequency caps",
            ),
        ),
        migrations.AddField(
            model_name="tenant",
            name="frequency_lets_critical_pass",
            field=models.BooleanField(
                default=True,
                help_text="They count all the same.",
                verbose_name="critical categories pass frequency caps",
            ),
        ),
    ]
