import pytest

from preferences.categories import categories, create_default_categories
from preferences.models import Category
from preferences.rules import CategoryRule
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db


def test_it_works() -> None:
    tenant = create_tenant()
    create_default_categories(tenant)
    assert categories(tenant.pk) == {
        "transactional": CategoryRule("transactional", False, "resend", is_transactional=True),
        "marketing": CategoryRule("marketing", False, "stop"),
        "system": CategoryRule("system", False, "wait", is_transactional=True),
        "alert": CategoryRule("alert", False, "resend", is_transactional=True),
    }


def test_it_leaves_alone_what_the_tenant_has() -> None:
    tenant = create_tenant()
    Category.objects.create(tenant=tenant, code="alert", name="Fire", is_critical=True)
    create_default_categories(tenant)
    create_default_categories(tenant)
    assert categories(tenant.pk)["alert"].is_critical
    assert Category.objects.count() == 4


def test_it_shows_a_tenant_its_own() -> None:
    create_default_categories(create_tenant())
    assert categories(create_tenant().pk) == {}
