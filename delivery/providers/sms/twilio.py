"""SMS by Twilio's Messages API: https://www.twilio.com/docs/messaging/channels/sms

What is not said here is said of all of Twilio's channels, in `delivery.providers.twilio`.
"""

from __future__ import annotations

from delivery.providers.base import Message
from delivery.providers.twilio.messages import TwilioMessages


class TwilioSms(TwilioMessages):
    name = "twilio"
    channel = "sms"
    label = "Twilio"

    def content(self, message: Message) -> dict[str, str]:
        return {"Body": message.content.body}

    def sender(self, message: Message) -> str:
        """The message's own goes first: a number, a name where the country allows one, or a service's SID."""
        return message.overrides.get("sender") or super().sender(message)
