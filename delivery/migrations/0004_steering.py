from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("delivery", "0003_escalation")]

    operations = [
        migrations.AddField(
            model_name="provideraccount",
            name="steered_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="provideraccount",
            name="steered_by",
            field=models.CharField(blank=True, editable=False, max_length=150),
        ),
        migrations.AddField(
            model_name="provideraccount",
            name="steering",
            field=models.CharField(
                blank=True,
                choices=[
                    ("pin", "pinned: used first, whatever its health"),
                    ("drain", "drained: gets nothing new"),
                ],
                editable=False,
                max_length=5,
            ),
        ),
        migrations.AddField(
            model_name="provideraccount",
            name="steering_reason",
            field=models.CharField(blank=True, editable=False, max_length=200),
        ),
    ]
