"""Recipients by the many: stored, listed, looked for."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from django.utils import timezone

from preferences.models import Device, Recipient
from preferences.tests.factories import create_recipient
from tenants.models import Tenant
from tenants.tests.factories import Api, api, create_api_key, create_tenant

pytestmark = pytest.mark.django_db

URL = "/api/v1/services/recipients"


@pytest.fixture
def tenant() -> Tenant:
    return create_tenant(country="DE")


@pytest.fixture
def service(tenant: Tenant) -> Api:
    return api(create_api_key(tenant))


def found(service: Api, **query: str) -> list[str]:
    answer = service.get(URL, query)
    assert answer.status_code == 200, answer.json()
    return [row["id"] for row in answer.json()["results"]]


def bulk(service: Api, *recipients: Any) -> Any:
    answer = service.post(f"{URL}/bulk", {"recipients": recipients})
    assert answer.status_code == 200, answer.json()
    return answer.json()


def test_it_works(service: Api) -> None:
    ann = {"id": "ann", "email": "ann@example.com", "phone": "030 901820", "devices": ["token"]}
    assert bulk(service, ann, {"id": "bob", "locale": "de"}) == {
        "accepted": 2,
        "rejected_total": 0,
        "rejected": [],
    }
    page = service.get(URL).json()
    assert [row["id"] for row in page["results"]] == ["bob", "ann"]
    assert page["results"][1]["phone"] == "+4930901820"
    assert page["results"][1]["devices"][0]["token"] == "token"


def test_what_is_not_given_stays_and_the_later_wins(service: Api, tenant: Tenant) -> None:
    create_recipient(tenant, ["old"], external_id="ann", email="ann@example.com", locale="de")
    bulk(
        service,
        {"id": "ann", "email": "first@example.com", "devices": ["new"]},
        {"id": "ann", "email": "last@example.com", "locale": None},
        {"id": "ann", "type": "driver"},
    )
    ann = Recipient.objects.get(type="user", external_id="ann")
    assert (ann.email, ann.locale) == ("last@example.com", "de")
    assert set(Device.objects.values_list("token", flat=True)) == {"old", "new"}
    assert Recipient.objects.count() == 2


def test_bad_ones_do_not_spoil_good_ones(service: Api) -> None:
    report = bulk(
        service,
        {"id": "ann", "phone": "12"},
        {"email": "ann@example.com"},
        {"id": "bob", "email": "bob@example.com"},
        "ann",
        {"id": "cho", "email": "none", "locale": "x"},
        {"id": "dora", "slack": "C1\x01"},
    )
    assert (report["accepted"], report["rejected_total"]) == (1, 5)
    assert [(bad["index"], bad["pointer"]) for bad in report["rejected"]] == [
        (0, "/recipients/0/phone"),
        (1, "/recipients/1/id"),
        (3, "/recipients/3"),
        (4, "/recipients/4/email"),
        (4, "/recipients/4/locale"),
        (5, "/recipients/5/slack"),
    ]
    assert found(service) == ["bob"]


def test_it_takes_json_lines(service: Api) -> None:
    lines = [orjson.dumps({"id": f"user-{n}", "email": f"user-{n}@example.com"}) for n in range(1_500)]
    lines[3:3] = [b"", b"{", b"[]"]
    answer = service.post(f"{URL}/bulk", b"\n".join(lines), content_type="application/x-ndjson")
    assert answer.status_code == 200
    assert answer.json()["accepted"] == 1_500
    told = [(bad["index"], bad["pointer"], bad["code"]) for bad in answer.json()["rejected"]]
    assert told == [(4, "/4", "not_json"), (5, "/5", "model_type")]
    assert Recipient.objects.count() == 1_500


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({"recipients": []}, "/recipients"), ({"recipients": [{}] * 1_001}, "/recipients"), ({}, "/recipients")],
)
def test_it_takes_a_thousand_at_once(service: Api, body: Any, pointer: str) -> None:
    answer = service.post(f"{URL}/bulk", body)
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_a_recipient_may_be_called_bulk(service: Api) -> None:
    assert service.put(f"{URL}/bulk", {"email": "ann@example.com"}).status_code == 201
    assert service.get(f"{URL}/bulk").json()["id"] == "bulk"
    assert service.delete(f"{URL}/bulk").status_code == 204


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"email": "ANN@example.com"}, ["ann"]),
        ({"email": "ann@example"}, []),
        ({"phone": "030 901820"}, ["ann"]),
        ({"phone": "+4930901821"}, []),
        ({"type": "driver"}, ["dora"]),
        ({"q": "an"}, ["anton", "ann"]),
        ({"q": "Ann@"}, ["ann"]),
        ({"q": "+4930"}, ["ann"]),
        ({"q": "%"}, []),
        ({"q": "an", "type": "driver"}, []),
        ({"updated_since": "2100-01-01T00:00:00Z"}, []),
        ({"updated_since": "2020-01-01T00:00:00Z", "type": "driver"}, ["dora"]),
    ],
)
def test_it_finds(service: Api, tenant: Tenant, query: dict[str, str], ids: list[str]) -> None:
    known = {"email": "", "phone": ""}
    create_recipient(tenant, external_id="ann", email="Ann@example.com", phone="+4930901820")
    create_recipient(tenant, external_id="anton", **known)
    create_recipient(tenant, external_id="dora", type="driver", **known)
    create_recipient(create_tenant(), external_id="ann", email="ann@example.com", phone="+4930901820")
    assert found(service, **query) == ids


def test_it_goes_through_pages(service: Api, tenant: Tenant) -> None:
    for _ in range(5):
        create_recipient(tenant)
    first = service.get(URL, {"limit": "3", "type": "user"}).json()
    second = service.get(first["next"]).json()
    assert (len(first["results"]), len(second["results"]), second["next"]) == (3, 2, None)
    assert service.get(second["previous"]).json()["results"] == first["results"]


def test_what_changed_since(service: Api, tenant: Tenant) -> None:
    create_recipient(tenant, external_id="ann")
    create_recipient(tenant, external_id="bob")
    before = timezone.now().isoformat()
    bulk(service, {"id": "ann", "locale": "de"}, {"id": "bob"})
    assert found(service, updated_since=before) == ["ann"]


@pytest.mark.parametrize(
    "query", [{"phone": "12"}, {"updated_since": "yesterday"}, {"name": "ann"}, {"q": ""}, {"email": ""}]
)
def test_it_refuses_what_makes_no_sense(service: Api, query: dict[str, str]) -> None:
    assert service.get(URL, query).status_code == 400


def test_it_asks_for_a_scope(tenant: Tenant) -> None:
    writer, reader = (api(create_api_key(tenant, [f"recipients:{scope}"])) for scope in ("write", "read"))
    assert writer.get(URL).status_code == 403
    assert reader.get(URL).status_code == 200
    body = {"recipients": [{"id": "ann"}]}
    assert reader.post(f"{URL}/bulk", body).status_code == 403
    assert writer.post(f"{URL}/bulk", body).status_code == 200
