from typing import Any

from django.db import connection, migrations

from preferences import keyed
from preferences.addresses import mask
from tenants.bulk import recordset

CHUNK = 2_000
# Until now a text message was answered with STOP, and nothing else unsubscribed.
SOURCES = {
    "bounced": "receipt",
    "complained": "receipt",
    "invalid": "attempt",
    "unsubscribed": "reply",
    "manual": "operator",
}

_HASH = """
    UPDATE preferences_suppression AS suppression
    SET address_hash = made.address_hash, key_id = made.key_id, mask = made.mask, source = made.source,
        since = suppression.created_at
    FROM json_to_recordset(%s::json)
      AS made (id uuid, address_hash varchar, key_id varchar, mask varchar, source varchar)
    WHERE suppression.id = made.id
"""


def hash_addresses(apps: Any, schema_editor: Any) -> None:
    """A chunk a transaction; what is interrupted goes on where it was."""
    suppressions = apps.get_model("preferences", "Suppression").objects.filter(address_hash=None)
    while rows := list(suppressions.order_by("pk").values("id", "channel", "address", "reason")[:CHUNK]):
        with connection.cursor() as cursor:
            cursor.execute(_HASH, [_document(rows)])


def _document(rows: list[dict[str, Any]]) -> str:
    """Made by the code that will look for them: another hash would find nobody."""
    made = []
    for row in rows:
        digest = keyed.of_address(row["channel"], row["address"])[0]
        made.append(
            {
                "id": row["id"],
                "address_hash": digest.value,
                "key_id": digest.key_id,
                "mask": mask(row["channel"], row["address"])[:255],
                "source": SOURCES[row["reason"]],
            }
        )
    return recordset(made)


class Migration(migrations.Migration):
    """It cannot be undone: from a hash no address can be made again. Back up before, if you want to go back."""

    atomic = False
    dependencies = [("preferences", "0003_suppression_hash")]
    operations = [migrations.RunPython(hash_addresses)]
