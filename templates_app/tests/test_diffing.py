from __future__ import annotations

import random
import time

import pytest

from templates_app.diffing import Wording, compared, differences
from templates_app.drafts import Draft

MAIL = Draft("email", "en", {"subject": "Hi", "html": "<p>\n<b>\nHi\n</b>\n</p>"}, "html", "standard")
BASE = Wording([MAIL, Draft("sms", "de", {"body": "Hallo"})], {"required": ["name"]}, {"name": "Ann"})


def lines(text: str) -> list[str]:
    return text.split("\n")


def test_it_works() -> None:
    mail = Draft("email", "en", {"subject": "Hi", "html": "<p>\n<b>\nHello\n</b>\n</p>"}, "markdown", "none")
    after = Wording([mail, Draft("push", "de", {"body": "Hallo"})], {"required": []}, {"name": "Bo"})

    found = differences(BASE, after, context=1)

    assert [(part.channel, part.locale, part.part, part.change) for part in found] == [
        ("email", "en", "html", "changed"),
        ("email", "en", "format", "changed"),
        ("email", "en", "layout", "changed"),
        ("sms", "de", "body", "removed"),
        ("push", "de", "body", "added"),
        ("", "", "sample_data", "changed"),
        ("", "", "schema", "changed"),
    ]
    assert [(line.op, line.before, line.after, line.text) for line in found[0].lines] == [
        ("gap", None, None, "1 unchanged line"),
        ("same", 2, 2, "<b>"),
        ("removed", 3, None, "Hi"),
        ("added", None, 3, "Hello"),
        ("same", 4, 4, "</b>"),
        ("gap", None, None, "1 unchanged line"),
    ]


def test_the_same_is_no_difference() -> None:
    assert differences(BASE, Wording(list(reversed(BASE.contents)), BASE.schema, BASE.sample_data)) == []


def test_a_line_break_at_the_end_is_one() -> None:
    (part,) = differences(Wording([Draft("sms", "en", {"body": "a"})], None, {}),
                          Wording([Draft("sms", "en", {"body": "a\n"})], None, {}))  # fmt: skip
    assert [(line.op, line.text) for line in part.lines] == [("same", "a"), ("added", "")]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", "a"),
        ("a", ""),
        ("a\nb\na\nb", "b\na\nb\na"),
        ("a\na\na", "a\na"),
        ("x\na\ny", "z\na\nw\na"),
        ("a", "b"),
    ],
)
def test_both_sides_can_be_read_off(old: str, new: str) -> None:
    told = list(compared(lines(old), lines(new)))
    assert [line.text for line in told if line.before] == lines(old)
    assert [line.text for line in told if line.after] == lines(new)
    for side in ("before", "after"):
        numbers = [number for line in told if (number := getattr(line, side))]
        assert numbers == list(range(1, len(numbers) + 1))


def test_any_two_texts_are_compared_soon() -> None:
    """Shuffled lines are the worst there is; and what is too long for that is replaced as a whole."""
    random.seed(1)
    for count, kinds in ((2_000, 2_000), (2_000, 3), (50_000, 50_000)):
        old, new = ([str(random.randrange(kinds)) for _ in range(count)] for _ in range(2))
        begun = time.thread_time()
        told = list(compared(old, new))
        assert time.thread_time() - begun < 3
        assert [line.text for line in told if line.after] == new
