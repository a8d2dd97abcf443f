from __future__ import annotations

import pytest
from django.test import Client

from templates_app.inspection import Draft
from templates_app.models import Brand, Layout, Partial, Template
from templates_app.tests.factories import create_published
from tenants.models import Tenant
from tenants.tests.factories import create_tenant
from tenants.tests.pages import confirm, post, see, staff

pytestmark = pytest.mark.django_db

APP = "/admin/templates_app"
SOURCE = "<main>{{ content }}</main>"
MAIL = Draft("email", "en", {"subject": "Hi", "html": "<p>Hi</p>"})


@pytest.fixture
def tenant() -> Tenant:
    return create_tenant()


def layout(tenant: Tenant, **over: object) -> dict[str, object]:
    form = {"tenant": str(tenant.pk), "code": "standard", "name": "Standard", "format": "html"}
    return {**form, "source": SOURCE, "is_default": "on", **over}


def test_it_works(admin_client: Client, tenant: Tenant) -> None:
    post(admin_client, f"{APP}/layout/add/", layout(tenant))
    row = Layout.objects.get(tenant=tenant)
    create_published(tenant, MAIL)
    page = f"{APP}/layout/{row.pk}/change/"
    assert "greeting v1" in see(admin_client, page)
    assert "out of date" not in see(admin_client, page)

    post(
        admin_client,
        page,
        {"name": "S", "format": "html", "source": "<i>{{ content }}</i>", "is_default": "on"},
    )
    assert "out of date" in see(admin_client, page)
    confirm(admin_client, f"{APP}/layout/{row.pk}/anew/")
    assert "Published: greeting v2." in see(admin_client, page)
    sent = Template.objects.get(tenant=tenant).published
    assert sent is not None
    assert sent.contents.get().compiled["html"] == "<i><p>Hi</p></i>"


@pytest.mark.parametrize(
    ("path", "over", "said"),
    [
        ("layout", {"source": "<p>"}, "It has no {{ content }}"),
        ("layout", {"source": "{{ content }}\n{% if %}"}, "Line 2: Syntax error"),
        ("layout", {"code": "none"}, "what a content says to have no layout"),
        ("partial", {"source": "{{ x"}, "Line 1: Syntax error"),
    ],
)
def test_it_puts_errors_on_the_source(
    admin_client: Client, tenant: Tenant, path: str, over: dict[str, str], said: str
) -> None:
    assert said in post(admin_client, f"{APP}/{path}/add/", layout(tenant, **over))
    assert not Layout.objects.exists()
    assert not Partial.objects.exists()


def test_it_keeps_partials(admin_client: Client, tenant: Tenant) -> None:
    post(admin_client, f"{APP}/partial/add/", layout(tenant, code="foot", source="<p>Bye</p>"))
    assert Partial.objects.get(tenant=tenant).source == "<p>Bye</p>"


def test_it_keeps_the_brand(admin_client: Client, tenant: Tenant) -> None:
    colors = {"primary_color": "#aa0000", "background_color": "#ffffff", "text_color": "#000000"}
    form = {"tenant": str(tenant.pk), "name": "Kiosk", "website": "kiosk.example", **colors}
    assert "not a colour" in post(admin_client, f"{APP}/brand/add/", {**form, "primary_color": "red"})
    post(admin_client, f"{APP}/brand/add/", form)
    brand = Brand.objects.get(tenant=tenant)
    assert (brand.name, brand.website, brand.primary_color) == ("Kiosk", "https://kiosk.example", "#aa0000")
    assert "Kiosk" in see(admin_client, f"{APP}/brand/")
    assert "nothing yet" in see(admin_client, f"{APP}/brand/{tenant.pk}/change/")


def test_who_may_not_publish_may_not_publish_anew(tenant: Tenant) -> None:
    row = Layout.objects.create(tenant=tenant, code="a", name="A", source=SOURCE)
    reader = staff("templates_app.view_layout", "templates_app.change_layout")
    assert "Publish anew" not in see(reader, f"{APP}/layout/{row.pk}/change/")
    assert reader.post(f"{APP}/layout/{row.pk}/anew/", {"_form_submitted": "on"}).status_code in {302, 403}
