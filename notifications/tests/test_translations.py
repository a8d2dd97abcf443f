"""The catalogs of the hosted pages: whole, compiled, and about nothing that is not there any more."""

from __future__ import annotations

import gettext
import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from babel.messages.extract import extract_python
from babel.messages.pofile import read_po
from django.utils.translation.template import templatize

from notifications.hosted.looks import LANGUAGES

APP = Path(__file__).parent.parent
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "pgettext": ((1, "c"), 2)}
TRANSLATED = sorted(set(LANGUAGES) - {"en"})


def sentences() -> Iterator[str]:
    """All that is to be translated, in code and in pages."""
    sources = [path.read_text() for path in (APP / "hosted").glob("*.py")]
    sources += [
        templatize(path.read_text()) for path in (APP / "templates/notifications/hosted").glob("*.html")
    ]
    for source in sources:
        found: Iterable[Any] = extract_python(io.BytesIO(source.encode()), KEYWORDS, [], {})
        for _, _, said, _ in found:
            yield from (str(one) for one in ((said,) if isinstance(said, str) else said) if one)


def catalog(language: str) -> dict[str, str]:
    with (APP / f"locale/{language}/LC_MESSAGES/django.po").open("rb") as file:
        return {str(one.id): str(one.string) for one in read_po(file, language) if one.id}


@pytest.mark.parametrize("language", TRANSLATED)
def test_it_works(language: str) -> None:
    translated = catalog(language)
    assert set(sentences()) - {said for said, words in translated.items() if words} == set(), "not translated"
    assert translated.keys() - set(sentences()) == set(), "said nowhere"


@pytest.mark.parametrize("language", TRANSLATED)
def test_it_is_compiled(language: str) -> None:
    """`pybabel compile -D django -d notifications/locale`: who runs Carillon needs no tools for it."""
    with (APP / f"locale/{language}/LC_MESSAGES/django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for said, words in catalog(language).items():
        assert compiled.gettext(said) == words


@pytest.mark.parametrize("language", TRANSLATED)
def test_it_names_what_the_sentence_names(language: str) -> None:
    for said, words in catalog(language).items():
        assert sorted(re.findall(r"%\(\w+\)s", words)) == sorted(re.findall(r"%\(\w+\)s", said)), said
