import logging
import re

import pytest
from django.db import IntegrityError
from django.test import Client

from tenants.logging import LineFormatter
from tenants.models import Tenant
from tenants.tests.factories import api, create_api_key, create_tenant
from tenants.tracing import correlated


def line(message: str = "sent", *args: object, **extra: object) -> str:
    record = logging.makeLogRecord(
        {"name": "delivery", "levelno": 20, "levelname": "INFO", "msg": message, "args": args, **extra}
    )
    return LineFormatter().format(record)


def test_it_works() -> None:
    with correlated("request-1", ""):
        written = line("delivery sent", delivery="d-1", attempt=2)

    time, _, rest = written.partition(" ")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time)
    assert rest == "INFO delivery delivery sent delivery=d-1 attempt=2 request_id=request-1"


def test_it_speaks_of_utc() -> None:
    assert line(created=0.0, msecs=0.0).startswith("1970-01-01T00:00:00.000Z ")


def test_it_leaves_out_whatever_could_hold_a_body() -> None:
    written = line(
        request={"body": "secret"}, args_=["secret"], data={"to": "secret"}, raw=b"secret", status_code=404
    )

    assert "secret" not in written
    assert written.endswith("status_code=404")


def test_it_stays_on_one_line() -> None:
    written = line("not found: %s", "/x\n2026 ERROR forged", ref="a\r\nb\x1b[31m")

    assert len(written.splitlines()) == 1
    assert r"/x\n2026 ERROR forged ref=a\r\nb\x1b[31m" in written


@pytest.mark.django_db
def test_it_shows_where_an_error_was_and_not_what_it_quotes() -> None:
    create_tenant(slug="ann-example-com")
    with pytest.raises(IntegrityError) as caught:
        Tenant.objects.create(slug="ann-example-com")

    written = line(exc_info=(caught.type, caught.value, caught.tb))

    assert "test_logging.py" in written
    assert "duplicate key value" in written
    assert written.count("caused:") == 1
    assert "ann-example-com)" not in written


@pytest.mark.django_db
@pytest.mark.urls("tenants.tests.views")
def test_it_writes_the_request_id_and_neither_key_nor_body(caplog: pytest.LogCaptureFixture) -> None:
    secret = create_api_key(create_tenant())
    caplog.handler.setFormatter(LineFormatter())
    caplog.set_level(logging.DEBUG)

    api(secret).post("/api/whoami", {"nmae": "a secret"}, headers={"X-Request-ID": "order-17"})
    Client(headers={"X-Request-ID": "order-18"}).get("/raise/defect")

    assert "request_id=order-18" in caplog.text
    assert secret not in caplog.text
    assert "a secret" not in caplog.text
