import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates_app.locales import best_locale


def test_it_works() -> None:
    assert best_locale("pt-BR", "de", ["pt-BR", "pt", "de", "en"]) == "pt-BR"


@pytest.mark.parametrize(
    ("wanted", "fallback", "available", "expected"),
    [
        ("pt-BR", "de", ["pt", "de", "en"], "pt"),
        ("pt-BR", "de-AT", ["de-AT", "de", "en"], "de-AT"),
        ("pt-BR", "de-AT", ["de", "en"], "de"),
        ("pt-BR", "de-AT", ["en", "fr"], "en"),
        ("pt-BR", "de-AT", ["it", "fr"], "fr"),
        ("pt", "de", ["pt-BR", "de"], "de"),
        ("zh-Hant-TW", "en", ["zh-Hant", "zh"], "zh-Hant"),
        ("zh-Hant-TW", "en", ["zh", "en"], "zh"),
        ("PT_br", "en", ["pt-BR", "en"], "pt-BR"),
        ("en-GB", "de", ["EN", "de"], "EN"),
        ("", "", ["de"], "de"),
        ("", "de", ["en", "de"], "de"),
        ("pt", "de", [], None),
    ],
)
def test_it_falls_back(wanted: str, fallback: str, available: list[str], expected: str | None) -> None:
    assert best_locale(wanted, fallback, available) == expected


@given(
    wanted=st.text(max_size=12),
    fallback=st.text(max_size=12),
    available=st.sets(st.text(max_size=5), min_size=1),
)
def test_it_always_finds_something_where_there_is_something(
    wanted: str, fallback: str, available: set[str]
) -> None:
    assert best_locale(wanted, fallback, available) in available
