"""For how long who wrote to a business on WhatsApp may be written to freely.

https://www.twilio.com/docs/whatsapp/key-concepts
"""

from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

WINDOW = timedelta(hours=24)
MOST_WINDOWS = 10_000


class Windows:
    """Open for a day after somebody wrote, for each account and person, whichever number they wrote to."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._until: OrderedDict[tuple[str, str], datetime] = OrderedDict()
        self._clock = clock

    def opened(self, account: str, person: str) -> None:
        self._until[account, person] = self._clock() + WINDOW
        self._until.move_to_end((account, person))
        if len(self._until) > MOST_WINDOWS:
            self._until.popitem(last=False)

    def is_open(self, account: str, person: str) -> bool:
        until = self._until.get((account, person))
        return until is not None and self._clock() < until
