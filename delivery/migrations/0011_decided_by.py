from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("delivery", "0010_rings_with"),
    ]

    operations = [
        migrations.AddField(
            model_name="delivery",
            name="decided_by",
            field=models.BigIntegerField(
                help_text="The versions of the rules that it was planned by: see `consent`.", null=True
            ),
        ),
    ]
