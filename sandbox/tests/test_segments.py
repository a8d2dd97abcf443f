import pytest

from sandbox.segments import segments


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),  # two septets each
        ("€" * 81, 2),
        ("я" * 70, 1),
        ("я" * 71, 2),
        ("📦" * 35, 1),  # two UTF-16 units each
        ("📦" * 36, 2),
    ],
)
def test_it_works(text: str, count: int) -> None:
    assert segments(text) == count
