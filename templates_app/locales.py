"""Which of the languages that a template has is the recipient's (RFC 4647, section 3.4, lookup)."""

from __future__ import annotations

from collections.abc import Collection, Iterator

LAST_RESORT = "en"


def best_locale(wanted: str, fallback: str, available: Collection[str]) -> str | None:
    """`pt-BR → pt → fallback → its language → en → any`; None only when nothing is available.

    Locales are BCP 47 tags; case and `_` for `-` make no difference. The answer is spelt as in `available`.
    """
    by_key = {_key(locale): locale for locale in sorted(available, reverse=True)}
    for locale in (wanted, fallback, LAST_RESORT):
        for key in _shorter(_key(locale)):
            if key in by_key:
                return by_key[key]
    return min(available, default=None)


def serves(wanted: str, available: Collection[str]) -> bool:
    """Whether one of them is in the wanted language, if perhaps for no one region: `de` serves `de-AT`."""
    keys = {_key(locale) for locale in available}
    return any(key in keys for key in _shorter(_key(wanted)))


def spoken_locale(content: str, recipient: str) -> str:
    """The locale that a content's dates and numbers are written in.

    The recipient's where it is the content's language, `en-GB` of an `en` content; else they would stand in
    another language than the words around them.
    """
    language, _, _ = _key(content).partition("-")
    return recipient if _key(recipient).partition("-")[0] == language else content


def _key(locale: str) -> str:
    return locale.replace("_", "-").lower()


def _shorter(key: str) -> Iterator[str]:
    """`zh-hant-tw`, `zh-hant`, `zh`."""
    while key:
        yield key
        key = key.rpartition("-")[0]
