"""What people write to an account's numbers: https://www.twilio.com/docs/messaging/guides/webhook-request"""

import secrets

from pydantic import BaseModel, ConfigDict, Field

from sandbox.twilio_messages import VERSION, WHATSAPP, Form


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
