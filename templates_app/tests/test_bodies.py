from typing import get_args

import pytest
from pydantic import ValidationError

from templates_app.bodies import Channel, ContentBody
from templates_app.channels import PARTS


def test_it_works() -> None:
    body = ContentBody(channel="email", locale="pt-BR", subject="S", html="<p>")

    assert body.draft().sources == {"subject": "S", "html": "<p>"}


def test_it_names_the_channels_that_have_parts() -> None:
    assert set(get_args(Channel)) == set(PARTS)


@pytest.mark.parametrize("channel", PARTS)
def test_it_wants_something_to_say(channel: str) -> None:
    with pytest.raises(ValidationError, match="needs"):
        ContentBody.model_validate({"channel": channel, "locale": "en"})
