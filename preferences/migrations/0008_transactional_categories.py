from typing import Any

from django.db import migrations

CODES = ["transactional", "system", "alert"]
"""Those that needed no unsubscribe link so far."""


def mark(apps: Any, schema_editor: Any) -> None:
    apps.get_model("preferences", "Category").objects.filter(code__in=CODES).update(is_transactional=True)


class Migration(migrations.Migration):
    dependencies = [("preferences", "0007_sending_rules")]
    operations = [migrations.RunPython(mark, migrations.RunPython.noop)]
