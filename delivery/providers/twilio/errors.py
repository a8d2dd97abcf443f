"""What Twilio's codes mean, whether it answers by them or posts them later.

https://www.twilio.com/docs/api/errors, each at `/docs/api/errors/<code>`; those of WhatsApp beside Meta's:
https://www.twilio.com/docs/whatsapp/api/error-code-mapping

One that is not here is the message's or the recipient's (ADDRESS): other content, another route.
"""

from __future__ import annotations

from delivery.providers.base import ErrorKind, ProviderError
from delivery.providers.windows import window_closed

_KINDS = {
    "20003": ErrorKind.ACCOUNT,  # authentication failed
    "20005": ErrorKind.ACCOUNT,  # account not active
    "20006": ErrorKind.ACCOUNT,  # access denied
    "20008": ErrorKind.ACCOUNT,  # resource not accessible with test credentials
    "20429": ErrorKind.RATE_LIMITED,
    "21212": ErrorKind.ACCOUNT,  # invalid From
    "21408": ErrorKind.ACCOUNT,  # no permission for this region
    "21601": ErrorKind.ACCOUNT,  # From cannot send SMS
    "21603": ErrorKind.ACCOUNT,  # a From is required
    "21606": ErrorKind.ACCOUNT,  # From cannot send to this destination
    "21608": ErrorKind.ACCOUNT,  # a trial account, and an unverified recipient
    "21609": ErrorKind.ACCOUNT,  # invalid StatusCallback: our public URL
    "21611": ErrorKind.RATE_LIMITED,  # the queue of this From is full
    "21612": ErrorKind.ACCOUNT,  # this From does not reach this To
    "21655": ErrorKind.ACCOUNT,  # the account has no template by this ContentSid
    "21659": ErrorKind.ACCOUNT,  # From is not a Twilio number
    "21660": ErrorKind.ACCOUNT,  # From is another account's
    "21701": ErrorKind.ACCOUNT,  # the messaging service does not exist
    "21703": ErrorKind.ACCOUNT,  # the messaging service has no sender for this
    "21704": ErrorKind.ACCOUNT,  # the messaging service has no senders
    "21705": ErrorKind.ACCOUNT,  # the messaging service is not there
    "21910": ErrorKind.ACCOUNT,  # From is of another channel
    "30001": ErrorKind.TRANSIENT,  # queue overflow
    "30002": ErrorKind.ACCOUNT,  # account suspended
    "30008": ErrorKind.TRANSIENT,  # unknown error at the carrier
    "30036": ErrorKind.TRANSIENT,  # its ValidityPeriod is over, and with it our deadline
    "30032": ErrorKind.ACCOUNT,  # toll-free number not verified
    "30034": ErrorKind.ACCOUNT,  # number not registered for A2P 10DLC
    "63001": ErrorKind.ACCOUNT,  # WhatsApp does not take Twilio's credentials for this sender
    "63002": ErrorKind.ACCOUNT,  # WhatsApp does not know From
    "63007": ErrorKind.ACCOUNT,  # From is no WhatsApp sender of this account
    "63008": ErrorKind.ACCOUNT,  # the channel is misconfigured
    "63010": ErrorKind.TRANSIENT,  # Twilio's own error
    "63012": ErrorKind.TRANSIENT,  # WhatsApp's own error
    "63015": ErrorKind.ACCOUNT,  # Twilio's WhatsApp sandbox, and a recipient who has not joined it
    "63017": ErrorKind.RATE_LIMITED,  # the account is too fast
    "63018": ErrorKind.RATE_LIMITED,  # the sender is too fast, or at WhatsApp's limit of new conversations
    "63020": ErrorKind.ACCOUNT,  # the business has not accepted Twilio's invitation, or owes Meta money
    "63022": ErrorKind.ACCOUNT,  # the sender's display name is not certified
    "63038": ErrorKind.ACCOUNT,  # the account is at its messages of a day
}
_THIS_MESSAGE_ALONE = {"21408", "21608", "21612", "21655", "63015"}
"""Of the account's those that say nothing of its other messages: a region, a stranger, a template."""
_PERMANENT = {
    "21211": "not a phone number",
    "21610": "the recipient replied STOP",
    "21614": "not a mobile number",
    "30005": "unknown or inactive number",
    "30006": "landline or unreachable carrier",
    "63003": "invalid, or nobody's on WhatsApp",
    "63014": "the recipient blocked the sender",
}
# Not among them: 63024, which an update of WhatsApp or its terms, once accepted, may heal.
_OUTSIDE_WINDOW = "63016"


def error_for(code: str, kind: ErrorKind, message: str) -> ProviderError:
    """What a code of Twilio's means; `kind` is for those that are not in our tables."""
    if code == _OUTSIDE_WINDOW:
        return window_closed()
    if code in _PERMANENT:
        return ProviderError(ErrorKind.ADDRESS, _PERMANENT[code], code=code, permanent=True)
    is_alone = code in _THIS_MESSAGE_ALONE
    return ProviderError(_KINDS.get(code, kind), message, code=code, spares_health=is_alone)


def unreadable(words: str) -> ProviderError:
    """It answered, and may have taken it."""
    return ProviderError(ErrorKind.UNKNOWN, words, code="unreadable")
