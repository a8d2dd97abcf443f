"""Whether and when a person is told: values in, a decision with its reason out. Nothing here asks a clock.

Whether, the strongest word first (`deciding`):

1. suppression: the address bounced, complained, opted out. Nothing gets past it;
2. the channels that the category may use;
3. the category is critical: it goes out whatever anybody prefers;
4. the tenant's block: of the recipient, the category or the channel;
5. the person's switch for the template on this channel;
6. the person's switch for the category on this channel;
7. the person's switch for the channel;
8. the category's default for the channel, which is on where it says nothing.

When, for what may go out (`holding`): do-not-disturb, quiet hours and the category's sending hours hold it
until none of them does any more, and end it where it would be too late by then. They stand between 4 and 5:
no switch gets past them. Critical categories and urgent messages do, unless the tenant says otherwise.

Reasons are part of the API, for they stand in a notification's trace. `critical`, `template_on`,
`category_on`, `channel_on`, `allowed` let through; `no_address`, `channel_not_allowed`, `suppressed:<why>`,
`recipient_blocked`, `category_blocked`, `channel_blocked`, `template_off`, `category_off`, `channel_off`,
`default_off` hold back; `do_not_disturb`, `quiet_hours`, `sending_hours` hold for a time.

Last comes where the recipient is, for a channel that is used only if they are online, or only if they are
not: `recipient_online`, `recipient_offline` and `presence_unknown` let through or hold back,
whichever was asked for; `if_online` and `if_offline` say that it is asked when the channel's turn comes.
"""

from preferences.rules.deciding import decide
from preferences.rules.holding import jitter
from preferences.rules.terms import (
    NO_POLICY,
    CategoryRule,
    Circumstances,
    Decision,
    Hold,
    Person,
    Policy,
    QuietHours,
)
from preferences.rules.times import Window

__all__ = [
    "NO_POLICY",
    "CategoryRule",
    "Circumstances",
    "Decision",
    "Hold",
    "Person",
    "Policy",
    "QuietHours",
    "Window",
    "decide",
    "jitter",
]
