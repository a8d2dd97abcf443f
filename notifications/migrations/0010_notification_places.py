from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notifications", "0009_feed_item_clicked_at")]

    operations = [
        migrations.AddField(
            model_name="notification",
            name="places",
            field=models.JSONField(
                help_text="What it was given under frequency caps: {recipient_id, scope, at}.", null=True
            ),
        ),
    ]
