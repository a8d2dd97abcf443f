from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("delivery", "0002_reveal_address")]

    operations = [
        migrations.AddField(
            model_name="delivery",
            name="escalate_at",
            field=models.DateTimeField(help_text="When the next channel's turn comes.", null=True),
        ),
        migrations.AddField(
            model_name="delivery",
            name="escalated_from",
            field=models.UUIDField(help_text="The delivery that was not answered in time.", null=True),
        ),
        migrations.AddField(
            model_name="delivery",
            name="seen_at",
            field=models.DateTimeField(help_text="Told only of a delivery that has `within`.", null=True),
        ),
        migrations.AddField(
            model_name="delivery",
            name="within",
            field=models.PositiveIntegerField(
                help_text="Seconds that a route has before the next.", null=True
            ),
        ),
    ]
