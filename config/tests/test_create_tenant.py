from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from preferences.models import Category
from tenants.models import Tenant

pytestmark = pytest.mark.django_db


def test_it_works() -> None:
    out = StringIO()

    call_command("create_tenant", "acme", name="Acme Inc.", stdout=out)

    tenant = Tenant.objects.get()
    assert (tenant.slug, tenant.name) == ("acme", "Acme Inc.")
    assert "create_api_key acme" in out.getvalue()


def test_it_gives_the_tenant_its_categories() -> None:
    call_command("create_tenant", "acme", stdout=StringIO())

    assert {"transactional", "marketing"} <= set(Category.objects.values_list("code", flat=True))


def test_it_makes_a_name_of_the_slug() -> None:
    call_command("create_tenant", "corner-shop", stdout=StringIO())

    assert Tenant.objects.get().name == "Corner Shop"


def test_it_refuses_a_slug_that_is_taken() -> None:
    call_command("create_tenant", "acme", stdout=StringIO())

    with pytest.raises(CommandError, match="There is a tenant 'acme' already"):
        call_command("create_tenant", "acme")


@pytest.mark.parametrize("slug", ["two words", "ünïcode", "a/b", "x" * 64, ""])
def test_it_refuses_a_slug_that_is_none(slug: str) -> None:
    with pytest.raises(CommandError):
        call_command("create_tenant", slug)

    assert not Tenant.objects.exists()
