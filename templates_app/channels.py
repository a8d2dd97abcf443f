"""Which parts a message has on each channel, and which of them it cannot be without."""

from collections.abc import Mapping

PARTS: Mapping[str, tuple[str, ...]] = {
    "in_app": ("title", "body", "overrides"),
    "email": ("subject", "body", "html", "overrides"),
    "sms": ("body", "overrides"),
    "whatsapp": ("body", "overrides"),
    "push": ("title", "body", "overrides"),
    "slack": ("body", "overrides"),
    "discord": ("title", "body", "overrides"),
    "webhook": ("title", "body", "overrides"),
}
# One of each group must be there.
REQUIRED: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "in_app": (("title",),),
    "email": (("subject",), ("body", "html")),
    "push": (("title", "body"),),
}
_REQUIRED_ELSEWHERE = (("body",),)


def missing_parts(channel: str, given: set[str]) -> list[str]:
    """What must be added, in words, e.g. `["body or html"]`."""
    groups = REQUIRED.get(channel, _REQUIRED_ELSEWHERE)
    return [" or ".join(group) for group in groups if not given.intersection(group)]
