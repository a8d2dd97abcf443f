from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("preferences", "0006_recipient_lists"),
        ("tenants", "0006_sending_rules"),
    ]

    operations = [
        migrations.AddField(
            model_name="category",
            name="block",
            field=models.CharField(
                blank=True, help_text="Why nothing of it is sent; empty where it is.", max_length=200
            ),
        ),
        migrations.AddField(
            model_name="category",
            name="channels",
            field=models.JSONField(
                blank=True, default=list, help_text="The channels that it may use; empty: all of them."
            ),
        ),
        migrations.AddField(
            model_name="category",
            name="defaults",
            field=models.JSONField(
                blank=True,
                default=dict,
                help_text='Where the recipient says nothing, e.g. {"sms": false}; channels left out are on.',
            ),
        ),
        migrations.AddField(
            model_name="category",
            name="frequency",
            field=models.JSONField(
                blank=True,
                default=dict,
                help_text='At most so many to a recipient, by channel: {"email": {"max": 2, "per": "week"}}.',
            ),
        ),
        migrations.AddField(
            model_name="category",
            name="is_transactional",
            field=models.BooleanField(
                default=False, help_text="About people's own affairs: its messages need no unsubscribe link."
            ),
        ),
        migrations.AddField(
            model_name="category",
            name="sending_hours",
            field=models.JSONField(
                blank=True,
                help_text='When it may be sent, by the recipient\'s clock: {"start": "09:00", "end": "20:00", "days": ["mon", "tue", "wed", "thu", "fri"]}.',
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="category",
            name="skips_holidays",
            field=models.BooleanField(default=False, help_text="Not sent on the tenant's holidays."),
        ),
        migrations.AddField(
            model_name="recipient",
            name="block",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="Why the tenant sends them nothing; empty where it does.",
                max_length=200,
            ),
        ),
        migrations.AddField(
            model_name="recipient",
            name="do_not_disturb_until",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="recipient",
            name="frequency",
            field=models.JSONField(
                blank=True,
                help_text='At most so many, by channel: {"sms": {"max": 5, "per": "day"}}.',
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="recipient",
            name="preferences_version",
            field=models.PositiveIntegerField(
                db_default=0,
                default=0,
                editable=False,
                help_text="Counts the changes of what decides about them.",
            ),
        ),
        migrations.AddField(
            model_name="recipient",
            name="quiet_hours",
            field=models.JSONField(
                blank=True,
                help_text='E.g. {"enabled": true, "start": "22:00", "end": "07:00", "timezone": "Europe/Berlin"}.',
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="preference",
            name="key",
            field=models.CharField(
                blank=True,
                help_text="The category's or the template's code; empty for a channel.",
                max_length=100,
            ),
        ),
        migrations.AlterField(
            model_name="preference",
            name="level",
            field=models.CharField(
                choices=[("channel", "Channel"), ("category", "Category"), ("template", "Template")],
                max_length=8,
            ),
        ),
    ]
