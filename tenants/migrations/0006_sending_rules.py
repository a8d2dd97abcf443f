from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0005_reply_words"),
    ]

    operations = [
        migrations.AddField(
            model_name="tenant",
            name="blocked_channels",
            field=models.JSONField(
                blank=True,
                default=dict,
                help_text='Channels not used, and why, e.g. {"sms": "contract has ended"}.',
            ),
        ),
        migrations.AddField(
            model_name="tenant",
            name="holidays",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text='For the categories that skip them: dates, or days of each year, e.g. ["2027-03-26", "12-25"].',
            ),
        ),
        migrations.AddField(
            model_name="tenant",
            name="quiet_digest",
            field=models.BooleanField(
                default=False,
                help_text="Recipients may choose themselves.",
                verbose_name="tell together what quiet hours held",
            ),
        ),
        migrations.AddField(
            model_name="tenant",
            name="quiet_holds_in_app",
            field=models.BooleanField(
                default=False,
                help_text="It does not ring, so it need not wait.",
                verbose_name="quiet hours hold the feed too",
            ),
        ),
        migrations.AddField(
            model_name="tenant",
            name="quiet_lets_critical_pass",
            field=models.BooleanField(
                default=True,
                help_text="Also do-not-disturb.",
                verbose_name="critical categories pass quiet hours",
            ),
        ),
        migrations.AddField(
            model_name="tenant",
            name="quiet_lets_urgent_pass",
            field=models.BooleanField(
                default=True,
                help_text="Priority `urgent`, such as a code.",
                verbose_name="urgent messages pass quiet hours",
            ),
        ),
        migrations.AddField(
            model_name="tenant",
            name="release_spread",
            field=models.PositiveSmallIntegerField(
                default=600,
                help_text="What was held until 07:00 leaves between then and so much later, each person at a time of their own.",
                verbose_name="seconds to spread a release over",
            ),
        ),
        migrations.AddField(
            model_name="tenant",
            name="rules_version",
            field=models.PositiveIntegerField(
                default=0,
                editable=False,
                help_text="Counts the changes of what decides about all its recipients.",
            ),
        ),
    ]
