from __future__ import annotations

from itertools import count

import pytest
from django.test import Client

from preferences.models import Category
from tenants.models import Tenant
from tenants.tests.factories import create_tenant
from tenants.tests.pages import assert_bounded, post

pytestmark = pytest.mark.django_db
CATEGORIES = "/admin/preferences/category/"
_number = count(1)


@pytest.fixture
def tenant() -> Tenant:
    return create_tenant()


def create(tenant: Tenant) -> Category:
    return Category.objects.create(tenant=tenant, code=f"code-{next(_number)}", name="News")


def test_it_works(admin_client: Client, tenant: Tenant) -> None:
    form = {"tenant": str(tenant.pk), "code": "news", "name": "News", "unknown_policy": "stop"}
    post(admin_client, f"{CATEGORIES}add/", form)
    assert Category.objects.get().unknown_policy == "stop"


def test_it_never_changes_the_code(admin_client: Client, tenant: Tenant) -> None:
    category = create(tenant)
    form = {"code": "other", "name": "Other", "unknown_policy": "wait", "is_critical": "on"}
    post(admin_client, f"{CATEGORIES}{category.pk}/change/", form)
    changed = Category.objects.get()
    assert (changed.code, changed.name, changed.is_critical) == (category.code, "Other", True)


def test_it_lists_within_bounds(admin_client: Client, tenant: Tenant) -> None:
    assert_bounded(admin_client, CATEGORIES, lambda: create(tenant))
