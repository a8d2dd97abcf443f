from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("delivery", "0009_replies")]

    operations = [
        migrations.AddField(
            model_name="delivery",
            name="rings_with",
            field=models.UUIDField(
                help_text="The first of those that ring together, one a device.", null=True
            ),
        ),
    ]
