import inspect
import re
from pathlib import Path

import pytest

from delivery.providers.base import Provider
from delivery.registry import UnknownProvider, built_in, provider, providers


@pytest.mark.parametrize("found", providers().values(), ids=lambda found: found.name)
def test_it_has_a_test_of_its_own_that_inherits_the_contract(found: type[Provider]) -> None:
    tested = re.compile(rf"class Test\w+\([\w, ]*Contract\):.*?provider = {found.__name__}\b", re.DOTALL)
    assert any(tested.search(test.read_text()) for test in Path(__file__).parent.glob("test_*.py"))


def test_it_finds_those_in_the_folder_of_their_channel() -> None:
    for (channel, _), found in providers().items():
        assert Path(inspect.getfile(found)).parent.name == channel
    assert {("sms", "twilio"), ("email", "smtp"), ("in_app", "feed")} <= providers().keys()


def test_it_says_which_is_not_there() -> None:
    with pytest.raises(UnknownProvider, match="no provider 'carrier-pigeon' for sms"):
        provider("sms", "carrier-pigeon")


def test_only_the_feed_is_built_in() -> None:
    assert built_in("in_app") is provider("in_app", "feed")
    assert built_in("sms") is None
