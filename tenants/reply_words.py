"""What a person asks for by writing one word back: no more of this, or more of it again.

A reply means its words only when they are all that it says. The words of every language count for everybody:
whoever writes ARRÊT means it, whatever locale we believe them to have.

English is what carriers in the United States require (CTIA, Messaging Principles and Best Practices, 5.1.3)
and what vendors look for themselves (https://help.twilio.com/articles/223134027). YES is not among the words
for START, as it is there: people answer questions with it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError


class Wish(StrEnum):
    STOP = "stop"
    START = "start"


Words = Mapping[str, Iterable[str]]
"""By locale."""

WORDS: Mapping[Wish, Words] = {
    Wish.STOP: {
        "en": (
            *("stop", "stop all", "stopall", "stop promotions", "unsubscribe", "cancel", "end", "quit"),
            *("revoke", "opt out", "optout"),
        ),
        "de": ("stopp", "abmelden", "abbestellen", "beenden", "ende"),
        "es": ("baja", "parar", "cancelar", "detener", "alto"),
        "fr": ("arrêt", "arrêter", "désabonner", "désinscrire"),
        "it": ("annulla", "cancella", "disiscrivi", "fermare"),
        "nl": ("stoppen", "afmelden", "uitschrijven"),
        "pl": ("rezygnuję", "wypisz"),
        "pt": ("parar", "sair", "cancelar", "descadastrar"),
    },
    Wish.START: {
        "en": ("start", "unstop", "subscribe", "opt in", "optin"),
        "de": ("starten", "anmelden"),
        "es": ("alta", "iniciar", "empezar"),
        "fr": ("démarrer", "abonner"),
        "it": ("inizia", "iscrivi"),
        "nl": ("starten", "aanmelden"),
        "pl": ("zapisz",),
        "pt": ("iniciar", "voltar", "começar"),
    },
}

_Word = Annotated[str, StringConstraints(min_length=1, max_length=64)]
_OWN = TypeAdapter(dict[Wish, dict[str, Annotated[list[_Word], Field(max_length=50)]]])
_NO_WORD = re.compile(r"[\W_]+")


def wish(text: str, own: Mapping[str, Words]) -> Wish | None:
    """What a reply asks for. `own` is a tenant's: the words of a locale there replace those above."""
    said = _plain(text)
    if not said:
        return None
    return next((wish for wish in Wish if said in _known(wish, own)), None)


def _known(wish: Wish, own: Mapping[str, Words]) -> set[str]:
    by_locale = {**WORDS[wish], **own.get(wish.value, {})}
    return {_plain(word) for words in by_locale.values() for word in words}


def _plain(text: str) -> str:
    """Without case, accents and punctuation: `«Arrêt!»` is `arret`."""
    letters = unicodedata.normalize("NFKD", text[:200].casefold())
    unmarked = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return _NO_WORD.sub(" ", unmarked).strip()


def complaints(own: object) -> list[str]:
    """What is wrong with a tenant's words, for whoever typed them."""
    try:
        _OWN.validate_python(own)
    except ValidationError as error:
        return [
            f"/{'/'.join(str(part) for part in item['loc'] if part != '[key]')}: {item['msg']}."
            for item in error.errors(include_url=False, include_input=False)
        ]
    return []
