from __future__ import annotations

from itertools import count

import pytest
from django.test import Client

from templates_app.models import Template, TemplateVersion
from templates_app.publishing import save_draft
from templates_app.tests.factories import ANN, GREETING, create_published, create_template, create_version
from tenants.models import Tenant
from tenants.tests.factories import create_tenant
from tenants.tests.pages import assert_bounded, confirm, post, queries, see, staff

pytestmark = pytest.mark.django_db
TEMPLATES = "/admin/templates_app/template/"
_number = count(1)


@pytest.fixture
def tenant() -> Tenant:
    return create_tenant()


def change(template: Template) -> str:
    return f"{TEMPLATES}{template.pk}/change/"


def test_it_works(admin_client: Client, tenant: Tenant) -> None:
    form = {"tenant": str(tenant.pk), "code": "hello", "name": "Hello", "category": "alert"}
    no_versions = {"versions-TOTAL_FORMS": "0", "versions-INITIAL_FORMS": "0"}
    post(admin_client, f"{TEMPLATES}add/", {**form, **no_versions, "channels": '["email", "sms"]'})
    template = Template.objects.get()
    assert (template.code, template.channels) == ("hello", ["email", "sms"])
    assert "nothing yet" in see(admin_client, TEMPLATES)


def test_it_shows_the_versions(admin_client: Client, tenant: Tenant) -> None:
    version = create_published(tenant)
    page = see(admin_client, change(version.template))
    assert f"/admin/templates_app/templateversion/{version.pk}/change/" in page
    assert "current" in page


def test_it_starts_a_draft_as_a_copy_of_the_latest(admin_client: Client, tenant: Tenant) -> None:
    first = create_published(tenant)
    confirm(admin_client, f"{TEMPLATES}{first.template_id}/new_draft/")
    draft = TemplateVersion.objects.get(number=2)
    assert draft.published_at is None
    assert (draft.sample_data, draft.contents.get().body) == (ANN, GREETING[0].sources["body"])


def test_it_starts_the_first_draft_with_nothing(admin_client: Client, tenant: Tenant) -> None:
    template = create_template(tenant)
    confirm(admin_client, f"{TEMPLATES}{template.pk}/new_draft/")
    assert not template.versions.get().contents.exists()


def test_it_archives(admin_client: Client, tenant: Tenant) -> None:
    template = create_template(tenant)
    confirm(admin_client, f"{TEMPLATES}{template.pk}/archive/")
    template.refresh_from_db()
    assert template.archived_at is not None
    assert change(template) not in see(admin_client, TEMPLATES)
    assert change(template) in see(admin_client, f"{TEMPLATES}?state=archived")
    assert change(template) in see(admin_client, f"{TEMPLATES}?state=all")


@pytest.mark.parametrize("action", ["new_draft", "archive"])
def test_it_lets_only_those_act_who_may_change(tenant: Tenant, action: str) -> None:
    template = create_template(tenant)
    viewer = staff("templates_app.view_template")
    assert viewer.post(f"{TEMPLATES}{template.pk}/{action}/", {"_form_submitted": "on"}).status_code == 403
    template.refresh_from_db()
    assert template.archived_at is None
    assert not template.versions.exists()


def test_it_lists_within_bounds(admin_client: Client, tenant: Tenant) -> None:
    assert_bounded(admin_client, TEMPLATES, lambda: create_template(tenant, f"code-{next(_number)}"))


def test_it_opens_within_bounds(admin_client: Client, tenant: Tenant) -> None:
    template = create_version(tenant).template
    see(admin_client, change(template))
    few = len(queries(admin_client, change(template)))
    for _ in range(10):
        save_draft(template, GREETING, ANN)
    assert len(queries(admin_client, change(template))) == few
