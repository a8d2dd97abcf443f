import datetime as dt

import jwt
import pytest
import time_machine
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone

from tenants.authentication import authenticate_recipient, mint_recipient_token
from tenants.models import SCOPES, ApiKey
from tenants.tests.factories import api, create_api_key, create_tenant

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tenants.tests.views")]

WHOAMI = "/api/whoami"


def test_it_works() -> None:
    tenant = create_tenant()

    answer = api(create_api_key(tenant)).get(WHOAMI)

    assert answer.json() == {"tenant": tenant.slug, "is_test": False}


def test_it_tells_test_keys_from_live_ones() -> None:
    secret = create_api_key(create_tenant(), mode=ApiKey.Mode.TEST)

    assert secret.startswith("ck_test_")
    assert api(secret).get(WHOAMI).json()["is_test"] is True


def test_it_keeps_only_a_hash_and_a_prefix() -> None:
    secret = create_api_key(create_tenant())

    row = ApiKey.objects.values().get()

    assert secret not in str(row)
    assert secret.startswith(row["prefix"])
    assert len(row["prefix"]) < len(secret) / 2


@pytest.mark.parametrize(
    ("header", "detail"),
    [
        (None, "No credentials were given."),
        ("", "No credentials were given."),
        ("Bearer", "No credentials were given."),
        ("Bearer ", "No credentials were given."),
        ("Basic dXNlcjpwYXNz", "No credentials were given."),
        ("ck_live_without_scheme", "No credentials were given."),
        ("Bearer ck_live_unknown", "The credentials are not valid."),
        ("Bearer two words", "The credentials are not valid."),
        ("Bearer \xff\x00", "The credentials are not valid."),
        ("Bearer " + "x" * 10_000, "The credentials are not valid."),
    ],
)
def test_it_refuses_bad_headers(header: str | None, detail: str) -> None:
    client = api("")
    client.defaults["HTTP_AUTHORIZATION"] = header or ""

    answer = client.get(WHOAMI)

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert answer.json()["code"] == "not_authenticated"
    assert answer.json()["detail"] == detail


def test_it_takes_the_scheme_in_any_case() -> None:
    client = api("")
    client.defaults["HTTP_AUTHORIZATION"] = f"bEARER {create_api_key(create_tenant())}"

    assert client.get(WHOAMI).status_code == 200


def test_it_refuses_an_expired_key_from_that_moment() -> None:
    now = timezone.now()
    client = api(create_api_key(create_tenant(), expires_at=now + dt.timedelta(seconds=10)))

    with time_machine.travel(now + dt.timedelta(seconds=9), tick=False):
        assert client.get(WHOAMI).status_code == 200
    with time_machine.travel(now + dt.timedelta(seconds=10), tick=False):
        assert client.get(WHOAMI).status_code == 401


def test_it_refuses_a_revoked_key_at_once() -> None:
    client = api(create_api_key(create_tenant()))
    assert client.get(WHOAMI).status_code == 200

    ApiKey.objects.update(revoked_at=timezone.now())

    assert client.get(WHOAMI).status_code == 401


def test_it_refuses_an_inactive_tenant() -> None:
    tenant = create_tenant(is_active=False)

    assert api(create_api_key(tenant)).get(WHOAMI).status_code == 401


def test_it_notes_the_last_use_once_a_minute() -> None:
    client, start = api(create_api_key(create_tenant())), timezone.now()

    used = []
    for seconds in (0, 30, 61):
        with time_machine.travel(start + dt.timedelta(seconds=seconds), tick=False):
            client.get(WHOAMI)
        used.append(ApiKey.objects.get().last_used_at)

    assert used == [start, start, start + dt.timedelta(seconds=61)]


@pytest.mark.parametrize(
    ("method", "scope"),
    [("get", "notifications:read"), ("head", "notifications:read"), ("post", "notifications:send")],
)
def test_it_asks_for_the_scope_of_the_method(method: str, scope: str) -> None:
    tenant = create_tenant()
    others = [other for other in SCOPES if other != scope]

    allowed = getattr(api(create_api_key(tenant, [scope])), method)(WHOAMI, {"name": "x"})
    refused = getattr(api(create_api_key(tenant, others)), method)(WHOAMI, {"name": "x"})

    assert allowed.status_code == 200
    assert refused.status_code == 403


def test_it_names_the_missing_scope_problem() -> None:
    answer = api(create_api_key(create_tenant(), [])).get(WHOAMI)

    assert answer.json()["code"] == "permission_denied"


def test_it_asks_for_no_scope_where_the_view_says_none() -> None:
    assert api(create_api_key(create_tenant(), [])).put(WHOAMI, {}).status_code == 200


def test_it_refuses_a_method_whose_scope_was_forgotten() -> None:
    assert api(create_api_key(create_tenant())).delete(WHOAMI).status_code == 403


def test_it_answers_405_for_a_method_that_is_not_there() -> None:
    answer = api(create_api_key(create_tenant())).patch(WHOAMI, {})

    assert answer.status_code == 405
    assert "GET" in answer["Allow"]


def test_it_refuses_unknown_scopes() -> None:
    with pytest.raises(ValidationError, match="everything"):
        create_api_key(create_tenant(), ["everything"])


def test_it_takes_a_recipient_token() -> None:
    token, expires_at = mint_recipient_token(create_tenant(), "user-1", "driver")

    assert api(token).get("/api/me").json() == {"id": "user-1", "type": "driver"}
    assert expires_at > timezone.now()


def test_it_knows_what_a_token_says() -> None:
    tenant = create_tenant()
    token, expires_at = mint_recipient_token(tenant, "user-1", "user")

    identity = authenticate_recipient(token)

    assert (identity.tenant, identity.external_id, identity.expires_at) == (tenant, "user-1", expires_at)


def test_it_refuses_a_token_after_its_end() -> None:
    token, expires_at = mint_recipient_token(create_tenant(), "user-1", "user")

    with time_machine.travel(expires_at + dt.timedelta(seconds=1), tick=False):
        assert api(token).get("/api/me").status_code == 401


def test_it_refuses_a_token_of_an_inactive_tenant() -> None:
    tenant = create_tenant()
    token, _ = mint_recipient_token(tenant, "user-1", "user")
    tenant.is_active = False
    tenant.save()

    assert api(token).get("/api/me").status_code == 401


def _token(**over: object) -> str:
    exp = timezone.now() + dt.timedelta(hours=1)
    claims = {
        "aud": "carillon:recipient",
        "tid": str(create_tenant().pk),
        "sub": "u",
        "typ": "user",
        "exp": exp,
    }
    return jwt.encode({**claims, **over}, settings.SECRET_KEY, algorithm="HS256")


def test_it_refuses_forged_tokens() -> None:
    header, payload, signature = _token().split(".")
    none = jwt.encode({"sub": "u"}, "", algorithm="none")
    forged = [
        f"{header}.{payload}.",
        f"{header}.{payload}.{signature[:-4]}AAAA",
        none,
        _token(aud="other"),
        "a.b.c",
    ]

    assert [api(token).get("/api/me").status_code for token in forged] == [401] * 5


def test_it_keeps_the_two_credentials_apart() -> None:
    tenant = create_tenant()
    token, _ = mint_recipient_token(tenant, "user-1", "user")

    assert api(token).get(WHOAMI).status_code == 401
    assert api(create_api_key(tenant)).get("/api/me").status_code == 401
