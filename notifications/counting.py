"""The unread count, checked when a client connects: it is kept by steps, and a wrong one would stay."""

from __future__ import annotations

import logging

from django.db import connection

from notifications.mailbox import Mailbox
from notifications.realtime.frames import Frame
from notifications.realtime.push import publish_on_commit

logger = logging.getLogger(__name__)

_UNREAD = """
    SELECT FROM notifications_feeditem
    WHERE recipient_id = %(recipient)s AND read_at IS NULL AND archived_at IS NULL AND deleted_at IS NULL
"""

# One statement sees the row and the items at the same moment, so that two who disagree in it are really at
# odds. It looks for one item more than the row says there are, in an index that has the unread ones alone.
_CHECK = f"""
SELECT seq, unread, (SELECT count(*) FROM ({_UNREAD} LIMIT greatest(feed.unread, 0) + 1) AS found)
FROM notifications_feed AS feed WHERE recipient_id = %(recipient)s
"""

# Whoever changes items changes the row in the same transaction. Who has done so before we hold the row is
# seen by the count, which looks afterwards; who comes later adds their step to it.
_HOLD = "SELECT FROM notifications_feed WHERE recipient_id = %(recipient)s FOR NO KEY UPDATE"
_RECOUNT = f"""
UPDATE notifications_feed SET unread = (SELECT count(*) FROM ({_UNREAD}) AS found)
WHERE recipient_id = %(recipient)s RETURNING seq, unread
"""


def checked_position(of: Mailbox) -> tuple[int, int]:
    """`mailbox.position`, with its count set right if it was wrong: then all sockets hear of it."""
    if of.recipient_id is None:
        return 0, 0
    params = {"recipient": of.recipient_id}
    with connection.cursor() as cursor:
        cursor.execute(_CHECK, params)
        seq, unread, found = cursor.fetchone() or (0, 0, 0)
        if unread == found:
            return seq, unread
        cursor.execute(_HOLD, params)
        cursor.execute(_RECOUNT, params)
        seq, unread = cursor.fetchone()
    logger.warning("an unread count was wrong", extra={"recipient": of.recipient_id, "unread": unread})
    publish_on_commit([Frame(of.address, "unread-count", {"count": unread})])
    return seq, unread
