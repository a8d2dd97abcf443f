from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("templates_app", "0007_archived_versions")]

    operations = [
        migrations.AddField(
            model_name="template",
            name="digest",
            field=models.JSONField(
                blank=True,
                help_text='Told together, and when: {"window": "daily 09:00"}, with a "key" if not by this code.',
                null=True,
            ),
        ),
    ]
