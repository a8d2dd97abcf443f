"""What people write to an account's numbers, and for how long it may then write to them freely.

Replies: https://www.twilio.com/docs/messaging/guides/webhook-request
The window: https://www.twilio.com/docs/whatsapp/key-concepts
"""

import secrets
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field

from sandbox.twilio_messages import VERSION, WHATSAPP, Form

WINDOW = timedelta(hours=24)
MOST_WINDOWS = 10_000


class Reply(BaseModel):
    """The body of `POST /twilio/{account}/replies`. By WhatsApp, both numbers begin with `whatsapp:`.

    `opt_out` is what Advanced Opt-Out takes the text for:
    https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    sender: str = Field(alias="from", pattern=r"^(whatsapp:)?\+\d+$")
    to: str = Field(pattern=r"^(whatsapp:)?\+\d+$")
    text: str
    opt_out: str = Field(default="", pattern="^(STOP|START|HELP)?$")

    def form(self, account: str) -> Form:
        sid = f"SM{secrets.token_hex(16)}"
        return {
            "AccountSid": account,
            "ApiVersion": VERSION,
            "MessageSid": sid,
            "SmsMessageSid": sid,
            "SmsSid": sid,
            "SmsStatus": "received",
            "From": self.sender,
            "To": self.to,
            "Body": self.text,
            "NumMedia": "0",
            "NumSegments": "1",
            **self._of_whatsapp(),
            **({"OptOutType": self.opt_out} if self.opt_out else {}),
        }

    def _of_whatsapp(self) -> Form:
        if not self.sender.startswith(WHATSAPP):
            return {}
        number = self.sender.removeprefix(WHATSAPP)
        return {"MessageType": "text", "ProfileName": number, "WaId": number.removeprefix("+")}


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
