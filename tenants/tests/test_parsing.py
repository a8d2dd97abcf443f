from typing import Any

import orjson
import pytest
from django.test import override_settings

from tenants.parsing import MAX_DEPTH, parse_json, validate
from tenants.problems import Problem
from tenants.tests.factories import Api, api, create_api_key, create_tenant
from tenants.tests.views import Item

pytestmark = pytest.mark.urls("tenants.tests.views")


@pytest.fixture
def client(db: None) -> Api:
    return api(create_api_key(create_tenant()))


def post(client: Api, body: bytes, content_type: str = "application/json") -> Any:
    return client.generic("POST", "/api/whoami", body, content_type)  # type: ignore[arg-type]


def refusal(raw: bytes) -> Problem:
    with pytest.raises(Problem) as caught:
        parse_json(raw)
    return caught.value


def pointers(document: Any) -> list[tuple[str, str]]:
    with pytest.raises(Problem) as caught:
        validate(Item, document)
    return [(error.pointer, error.code) for error in caught.value.errors]


def test_it_works(client: Api) -> None:
    answer = post(client, b'{"name": "Ann \\u00e9 \\n\\t", "tags": [1, 2]}')

    assert answer.status_code == 200
    assert answer.json() == {"name": "Ann é \n\t", "recipient": "ann", "tags": [1, 2]}


@pytest.mark.parametrize(
    "body",
    [
        b"hello",
        b'{"name": "x"',
        b"\xff\xfe",
        b'{"name": NaN}',
        b'{"name": "\x00"}',
        b'{"name": "\\ud800"}',
        b'{"name": "\\udc00 alone"}',
        b'{"name": "\xed\xa0\x80"}',
        b"[" * 100_000,
        b"\xef\xbb\xbf{}",
    ],
)
def test_it_refuses_what_is_not_json(client: Api, body: bytes) -> None:
    answer = post(client, body)

    assert (answer.status_code, answer.json()["code"]) == (400, "not_json")


@pytest.mark.parametrize("escape", [r"\u0000", r"\u0007", r"\u001F", r"\u007f", r"\b", r"\f", "\x7f"])
def test_it_refuses_control_characters(client: Api, escape: str) -> None:
    answer = post(client, b'{"name": "a%sb"}' % escape.encode())

    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == ("/name", "control_character")


def test_it_points_at_each_control_character_in_values_and_names() -> None:
    problem = refusal(rb'{"a": ["x", {"b/c~d": "\u0001"}], "bad\u0002": 1, "fine": "\n"}')

    assert [error.pointer for error in problem.errors] == ["/a/1/b~1c~0d", ""]


def test_it_takes_an_escaped_backslash_for_what_it_is() -> None:
    assert parse_json(rb'{"path": "C:\\u0000\\b"}') == {"path": r"C:\u0000\b"}


@pytest.mark.parametrize("shape", [(b"[", b"]"), (b'{"a":', b"}")])
def test_it_bounds_the_depth(shape: tuple[bytes, bytes]) -> None:
    opening, closing = shape

    parse_json(opening * MAX_DEPTH + b"1" + closing * MAX_DEPTH)
    problem = refusal(opening * (MAX_DEPTH + 1) + b"1" + closing * (MAX_DEPTH + 1))

    assert problem.code == "too_deep"


def test_it_does_not_take_breadth_for_depth() -> None:
    raw = orjson.dumps([{"text": "]}[{"}] * 5_000)

    assert len(parse_json(raw)) == 5_000


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, [("/name", "missing")]),
        ({"name": 1}, [("/name", "string_type")]),
        ({"name": "x", "nmae": 2}, [("/nmae", "unknown_field")]),
        ({"name": "x", "a/b~": 2}, [("/a~1b~0", "unknown_field")]),
        ({"name": "x", "tags": [1, "two"]}, [("/tags/1", "int_parsing")]),
        ("text", [("", "model_type")]),
        ([], [("", "model_type")]),
        (None, [("", "model_type")]),
    ],
)
def test_it_points_at_each_error(document: Any, expected: list[tuple[str, str]]) -> None:
    assert pointers(document) == expected


def test_it_leaves_names_of_shapes_out_of_pointers() -> None:
    assert {pointer for pointer, _ in pointers({"name": "x", "recipient": {"mail": 1}})} == {
        "/recipient",
        "/recipient/email",
        "/recipient/mail",
    }


@override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=100)
def test_it_refuses_a_body_over_the_limit(client: Api) -> None:
    fits, too_large = (b'{"name": "%s"}' % (b"x" * length) for length in (88, 89))

    assert post(client, fits).status_code == 200
    answer = post(client, too_large)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "multipart/form-data; boundary=x"])
def test_it_refuses_other_media_types(client: Api, content_type: str) -> None:
    answer = post(client, b'{"name": "x"}', content_type)

    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_it_takes_a_charset_with_the_media_type(client: Api) -> None:
    assert post(client, b'{"name": "x"}', "application/json; charset=utf-8").status_code == 200
