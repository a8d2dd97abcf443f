import uuid

import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from tenants.models import Tenant
from tenants.pagination import Page, paginate
from tenants.problems import Problem
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db


def page(url: str) -> Page[Tenant]:
    return paginate(Request(APIRequestFactory().get(url)), Tenant.objects.all())


def walk(url: str | None, direction: str) -> list[list[uuid.UUID]]:
    pages = []
    while url is not None:
        current = page(url)
        pages.append([row.pk for row in current.rows])
        url = getattr(current, direction)
    return pages


@pytest.fixture
def newest_first() -> list[uuid.UUID]:
    return [create_tenant().pk for _ in range(7)][::-1]


def test_it_works(newest_first: list[uuid.UUID]) -> None:
    assert walk("/things?limit=3", "next") == [newest_first[:3], newest_first[3:6], newest_first[6:]]


def test_it_goes_back(newest_first: list[uuid.UUID]) -> None:
    second = page("/things?limit=3").next
    assert second is not None
    third = page(second).next

    assert walk(third, "previous") == [newest_first[6:], newest_first[3:6], newest_first[:3]]


def test_it_keeps_the_other_parameters(newest_first: list[uuid.UUID]) -> None:
    link = page("/things?limit=3&status=sent").next

    assert link is not None
    assert link.startswith("http://testserver/things?")
    assert "limit=3" in link
    assert "status=sent" in link


def test_it_is_not_shaken_by_new_rows(newest_first: list[uuid.UUID]) -> None:
    second = page("/things?limit=3").next
    new = create_tenant().pk
    assert second is not None

    assert [row.pk for row in page(second).rows] == newest_first[3:6]
    assert walk(page(second).previous, "previous") == [newest_first[:3], [new]]


def test_it_has_nothing_around_an_empty_or_a_single_page(newest_first: list[uuid.UUID]) -> None:
    single = page("/things?limit=7")
    assert (single.next, single.previous) == (None, None)
    Tenant.objects.all().delete()

    empty = page("/things")
    assert (empty.rows, empty.next, empty.previous) == ([], None, None)


def test_it_gives_twenty_unless_told_otherwise() -> None:
    for _ in range(21):
        create_tenant()

    assert len(page("/things").rows) == 20


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=101", "limit=-1", "limit=ten", "limit=", "limit=%C2%B2", "limit=1e1"),
        *("cursor=", "cursor=x", "cursor=%00", "cursor=AAAA", "cursor=" + "A" * 5000, "cursor=é"),
    ],
)
def test_it_refuses_what_makes_no_sense(query: str) -> None:
    with pytest.raises(Problem) as caught:
        page(f"/things?{query}")

    assert caught.value.status_code == 400
    assert caught.value.errors[0].code in {"invalid_limit", "invalid_cursor"}
