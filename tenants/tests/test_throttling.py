from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.test import override_settings

from config.embedded import Valkey
from config.tests.processes import wait_until
from tenants.tests.factories import api, create_api_key, create_tenant
from tenants.tests.outages import nowhere
from tenants.throttling import SlidingWindow

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tenants.tests.views")]

WHOAMI = "/api/whoami"

three_a_minute = override_settings(RATE_LIMIT_PER_MINUTE=3)


@three_a_minute
def test_it_works() -> None:
    client = api(create_api_key(create_tenant()))

    answers = [client.get(WHOAMI) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer["RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert {answer["RateLimit-Limit"] for answer in answers} == {"3"}


@three_a_minute
def test_it_says_when_to_come_back() -> None:
    client = api(create_api_key(create_tenant()))
    for _ in range(3):
        client.get(WHOAMI)

    answer = client.get(WHOAMI)

    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "rate_limited"
    assert 1 <= int(answer["Retry-After"]) <= 60
    assert 0 <= int(answer["RateLimit-Reset"]) <= 60


@three_a_minute
def test_it_slides() -> None:
    """Of the three requests of a minute ago, a third still counts when the new window is two thirds over."""
    client = api(create_api_key(create_tenant()))
    for _ in range(3):
        client.get(WHOAMI)

    with redis.Redis.from_url(settings.REDIS_URL) as valkey:
        (window,) = valkey.scan_iter("LIMITS*")
        valkey.pexpire(window, 20_500)  # it lives for two minutes, so a minute and forty seconds have passed

    assert [client.get(WHOAMI).status_code for _ in range(3)] == [200, 200, 429]


@three_a_minute
def test_it_counts_each_tenant_and_each_endpoint_group_apart() -> None:
    client, other = api(create_api_key(create_tenant())), api(create_api_key(create_tenant()))
    for _ in range(3):
        client.get(WHOAMI)

    assert client.get(WHOAMI).status_code == 429
    assert client.get("/api/other-group").status_code == 200
    assert other.get(WHOAMI).status_code == 200


@three_a_minute
def test_it_counts_all_keys_of_a_tenant_together() -> None:
    tenant = create_tenant()
    for _ in range(3):
        api(create_api_key(tenant)).get(WHOAMI)

    assert api(create_api_key(tenant)).get(WHOAMI).status_code == 429


def test_it_counts_nobody_who_is_unknown() -> None:
    assert "RateLimit-Limit" not in api("ck_live_unknown").get(WHOAMI)


def test_it_lets_everybody_pass_while_valkey_is_away(caplog: pytest.LogCaptureFixture) -> None:
    client = api(create_api_key(create_tenant()))

    with override_settings(RATE_LIMIT_PER_MINUTE=1, REDIS_URL=nowhere()):
        answers = [client.get(WHOAMI) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert "RateLimit-Limit" not in answers[0]
    assert [record.message for record in caplog.records if record.name == "tenants.throttling"] == [
        "rate limits are off: Valkey is away"
    ]


def test_it_asks_again_when_valkey_is_back(tmp_path: Path) -> None:
    valkey = Valkey(tmp_path)
    valkey.start()
    try:
        window = SlidingWindow(valkey.url)
        valkey.kill()
        assert window.hit("tenant", per_minute=3) == (True, None)
        valkey.start()
        wait_until(lambda: window.hit("tenant", per_minute=3)[1] is not None)
    finally:
        valkey.stop()
