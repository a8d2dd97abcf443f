from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notifications", "0008_frequency_places")]

    operations = [
        migrations.AddField(
            model_name="feeditem",
            name="clicked_at",
            field=models.DateTimeField(help_text="When its action was followed first.", null=True),
        ),
    ]
