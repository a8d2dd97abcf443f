"""What a template says in its channel's own terms: JSON with the data in it."""

from typing import Any

import pytest

from templates_app.inspection import Draft, inspect
from templates_app.workshop import Job, RenderError, Words, workshop

ANN = {"name": 'Ann "the bell" <x>', "lines": [{"sku": "A-1"}]}


def render(source: str, data: Any = ANN) -> Words | RenderError:
    (answer,) = workshop.render([Job(source, {"body": "Hi", "overrides": source}, data)])
    return answer


def problem(channel: str, source: str) -> tuple[str, str | None, str]:
    (error,) = inspect([Draft(channel, "en", {"body": "Hi", "overrides": source})], ANN).errors
    return error.code, error.part, error.message


def test_it_works() -> None:
    answer = render('{"unfurl_links": false, "blocks": [{"type": "header", "text": {{ name }}}]}')
    assert isinstance(answer, Words)
    assert answer.overrides == (
        '{"unfurl_links": false, "blocks": [{"type": "header", "text": "Ann \\"the bell\\" <x>"}]}'
    )


def test_lists_and_objects_of_the_data_stay_what_they_are() -> None:
    answer = render('{"blocks": {{ lines }}}')
    assert isinstance(answer, Words)
    assert answer.overrides == '{"blocks": [{"sku":"A-1"}]}'


def test_the_data_may_leave_it_empty() -> None:
    answer = render('{% if big is defined %}{"blocks": []}{% endif %}')
    assert isinstance(answer, Words)
    assert answer.overrides == ""


@pytest.mark.parametrize("source", ["{", '{"blocks": "Hi {{ name }}"}', "[1]", '"text"', "{{ name }}"])
def test_what_makes_no_object_is_an_error_of_its_part(source: str) -> None:
    answer = render(source)
    assert isinstance(answer, RenderError)
    assert (answer.code, answer.part) == ("template_error", "overrides")


def test_names_in_it_are_needed_from_the_data() -> None:
    draft = Draft("slack", "en", {"body": "Hi", "overrides": '{"thread_ts": {{ thread }}}'})
    assert inspect([draft], {"thread": "1.2"}).variables == ["thread"]


def test_a_field_that_the_channel_does_not_have_is_refused() -> None:
    assert problem("slack", '{"embeds": []}')[:2] == ("invalid_overrides", "overrides")
    assert problem("discord", '{"embeds": "none"}')[2].startswith("embeds: ")
