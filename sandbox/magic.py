"""Addresses that always end in the same way, faults or none, as vendors' own test numbers do.

Phone numbers are Twilio's: https://www.twilio.com/docs/iam/test-credentials#test-sms-messages
"""

from enum import Enum

DOMAIN = "simulator.carillon.test"


class Fate(Enum):
    OK = "ok"
    BOUNCE = "bounce"
    DEFER = "defer"
    COMPLAINT = "complaint"  # accepted; a vendor with complaint receipts sends one, plain SMTP has none
    INVALID = "invalid"
    INCAPABLE = "incapable"


_PHONES = {"+15005550001": Fate.INVALID, "+15005550009": Fate.INCAPABLE}
_MAILBOXES = {f"{fate.value}@{DOMAIN}": fate for fate in (Fate.OK, Fate.BOUNCE, Fate.DEFER, Fate.COMPLAINT)}


def email_fate(address: str) -> Fate:
    return _MAILBOXES.get(address.lower(), Fate.OK)


def phone_fate(number: str) -> Fate:
    return _PHONES.get(number, Fate.OK)
