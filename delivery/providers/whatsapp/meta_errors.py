"""What Meta's codes mean, whether it answers by them or posts them later.

https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes

None of them says that an address will never work: 131026 is a number without WhatsApp, an app that is too old
and terms that were not accepted alike. One that is not here is the message's or the recipient's (ADDRESS).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from delivery.providers.base import ErrorKind, ProviderError
from delivery.providers.http import Reply, kind_of_status, retry_after
from delivery.providers.windows import window_closed

_OUTSIDE_WINDOW = "131047"
_NO_SUCH_OBJECT = 33
"""The subcode of 100 that means the phone number ID, which is none or not for this token:
https://developers.facebook.com/docs/graph-api/guides/error-handling
"""
_KINDS = {
    "0": ErrorKind.ACCOUNT,  # the token is no good
    "1": ErrorKind.TRANSIENT,  # Meta's own error, or so it seems
    "2": ErrorKind.TRANSIENT,  # down, or overloaded
    "3": ErrorKind.ACCOUNT,  # no permission for this method
    "4": ErrorKind.RATE_LIMITED,  # the app is too fast
    "10": ErrorKind.ACCOUNT,  # no permission
    "33": ErrorKind.ACCOUNT,  # the business' number was deleted
    "190": ErrorKind.ACCOUNT,  # the token ran out
    **{str(code): ErrorKind.ACCOUNT for code in range(200, 300)},  # no permission
    "368": ErrorKind.ACCOUNT,  # blocked for breaking a policy
    "80007": ErrorKind.RATE_LIMITED,  # the business account is too fast
    "130429": ErrorKind.RATE_LIMITED,  # the number is too fast
    "130472": ErrorKind.ADDRESS,  # they are in an experiment of Meta's: no marketing
    "130497": ErrorKind.ACCOUNT,  # may not write to this country
    "131000": ErrorKind.TRANSIENT,  # something went wrong
    "131005": ErrorKind.ACCOUNT,  # access denied
    "131008": ErrorKind.ADDRESS,  # the message lacks something
    "131009": ErrorKind.ADDRESS,  # the message has something that is none
    "131016": ErrorKind.TRANSIENT,  # overloaded
    "131021": ErrorKind.ADDRESS,  # it is the sender's own number
    "131026": ErrorKind.ADDRESS,  # undeliverable
    "131030": ErrorKind.ACCOUNT,  # a test number, and a recipient who is not on its list
    "131031": ErrorKind.ACCOUNT,  # locked
    "131037": ErrorKind.ACCOUNT,  # the display name is not approved
    "131042": ErrorKind.ACCOUNT,  # owes Meta money
    "131045": ErrorKind.ACCOUNT,  # the number is not registered as it should be
    "131048": ErrorKind.ACCOUNT,  # restricted, for too many called it spam
    "131049": ErrorKind.ADDRESS,  # they have had enough marketing for now, as Meta finds
    "131050": ErrorKind.ADDRESS,  # they want no marketing from this business; the rest they still get
    "131051": ErrorKind.ADDRESS,  # no such type of message
    "131052": ErrorKind.ADDRESS,  # Meta could not fetch the file
    "131053": ErrorKind.ADDRESS,  # Meta could not take the file
    "131056": ErrorKind.RATE_LIMITED,  # too many to this one recipient
    "131057": ErrorKind.ACCOUNT,  # in maintenance, for some minutes
    "132000": ErrorKind.ADDRESS,  # more or fewer parameters than the template has
    "132001": ErrorKind.ACCOUNT,  # no such template in this language, or not approved
    "132005": ErrorKind.ADDRESS,  # too long when it is filled in
    "132007": ErrorKind.ADDRESS,  # its characters break a policy
    "132012": ErrorKind.ADDRESS,  # parameters of another format than the template's
    "132015": ErrorKind.ACCOUNT,  # paused, for people dislike it
    "132016": ErrorKind.ACCOUNT,  # paused too often: disabled
    "132018": ErrorKind.ADDRESS,  # a line break or a tab in a parameter
    "133000": ErrorKind.ACCOUNT,  # a registration of the number that was not completed
    "133004": ErrorKind.TRANSIENT,  # down
    "133005": ErrorKind.ACCOUNT,  # wrong PIN of the number
    "133006": ErrorKind.ACCOUNT,  # the number is to be verified again
    "133008": ErrorKind.ACCOUNT,  # wrong PIN too often
    "133009": ErrorKind.ACCOUNT,  # wrong PIN too fast
    "133010": ErrorKind.ACCOUNT,  # the number is not registered
    "133015": ErrorKind.ACCOUNT,  # the number was deleted a moment ago
    "133016": ErrorKind.ACCOUNT,  # registered too often
}
_OF_ONE_MESSAGE = {"130497", "131030", "132001", "132015", "132016"}
"""What this account cannot send, though another may, and it has no trouble with the rest: not its health's
business. A template that Meta paused must not hold up the codes that leave by the same number.
"""


def refusal(reply: Reply) -> ProviderError:
    """By Meta's code, which says more than the status. A proxy's page has none."""
    try:
        told = reply.json()["error"]
        error = _error(told, kind_of_status(reply.status))
    except (ProviderError, KeyError, TypeError, ValueError):
        return reply.error()
    error.retry_after = retry_after(reply.headers)
    return error


def failure(errors: Any) -> ProviderError:
    """Why a message failed, as its status says it in `errors`."""
    told = errors[0] if isinstance(errors, Sequence) and errors else {}
    try:
        return _error(told, ErrorKind.ADDRESS)
    except (KeyError, TypeError, ValueError):
        return ProviderError(ErrorKind.ADDRESS, "failed", code="failed")


def unreadable(words: str) -> ProviderError:
    """It answered, and may have taken it."""
    return ProviderError(ErrorKind.UNKNOWN, words, code="unreadable")


def _error(told: Mapping[str, Any], otherwise: ErrorKind) -> ProviderError:
    """`details` says which parameter it was; a title is all that older ones have."""
    code = str(int(told["code"]))
    if code == _OUTSIDE_WINDOW:
        return window_closed()
    kind = _KINDS.get(code, otherwise)
    if code == "100" and told.get("error_subcode") == _NO_SUCH_OBJECT:
        kind = ErrorKind.ACCOUNT
    details = told.get("error_data") or {}
    words = details.get("details") if isinstance(details, Mapping) else None
    message = str(words or told.get("message") or told.get("title") or "refused")
    return ProviderError(kind, message, code=code, spares_health=code in _OF_ONE_MESSAGE)
