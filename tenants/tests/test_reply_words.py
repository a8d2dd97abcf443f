import pytest

from tenants.reply_words import Wish, Words, complaints, wish


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("STOP", Wish.STOP),
        (" stop.\n", Wish.STOP),
        ("Stop!!!", Wish.STOP),
        ("«Arrêt»", Wish.STOP),
        ("arret", Wish.STOP),
        ("ARRE\u0302T", Wish.STOP),
        ("UNSUBSCRIBE", Wish.STOP),
        ("opt-out", Wish.STOP),
        ("stop\N{WORD JOINER}", Wish.STOP),
        ("\uff33\uff34\uff2f\uff30", Wish.STOP),
        ("Stopp", Wish.STOP),
        ("start", Wish.START),
        ("UNSTOP", Wish.START),
        ("Démarrer", Wish.START),
        ("please do not stop", None),
        ("stop it, I love it", None),
        ("yes", None),
        ("", None),
        ("👍", None),
        ("nonstop", None),
        ("stop" + " " * 5_000 + "x", Wish.STOP),
    ],
)
def test_words(text: str, expected: Wish | None) -> None:
    assert wish(text, {}) is expected


def test_a_tenants_own_words_replace_those_of_their_locale() -> None:
    own: dict[str, Words] = {"stop": {"fi": ["Lopeta"], "de": ["aus"]}, "start": {"en": []}}
    assert wish("lopeta!", own) is Wish.STOP
    assert wish("AUS", own) is Wish.STOP
    assert wish("abmelden", own) is None
    assert wish("stop", own) is Wish.STOP
    assert wish("start", own) is None


@pytest.mark.parametrize(
    ("own", "pointer"),
    [
        ([], "/"),
        ({"halt": {}}, "/halt"),
        ({"stop": ["lopeta"]}, "/stop"),
        ({"stop": {"fi": "lopeta"}}, "/stop/fi"),
        ({"stop": {"fi": [""]}}, "/stop/fi/0"),
    ],
)
def test_what_is_wrong_with_a_tenants_own(own: object, pointer: str) -> None:
    (complaint,) = complaints(own)
    assert complaint.startswith(f"{pointer}:"), complaint


def test_nothing_is_wrong() -> None:
    assert complaints({}) == complaints({"stop": {"fi": ["lopeta"]}, "start": {"fi": []}}) == []
