import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from templates_app import catalog
from templates_app.catalog import missing_variables, published
from templates_app.inspection import Draft
from templates_app.models import Template
from templates_app.tests.factories import create_published, create_template, create_version
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db


def test_it_works() -> None:
    tenant = create_tenant()
    template = create_template(tenant, category="alert", channels=["sms", "push"])
    content = [Draft("sms", "en", {"body": "{{ b }}"}), Draft("push", "de", {"body": "{{ a.x }}"})]
    version = create_published(tenant, *content, sample_data={"a": {"x": 1}, "b": 1}, template=template)

    found = published(tenant.pk, [("greeting", None)])["greeting", None]

    assert (found.code, found.version_id, found.number) == ("greeting", version.pk, 1)
    assert (found.category, found.channels, found.variables) == ("alert", ("sms", "push"), ("a", "b"))
    assert found.content_channels == {"sms", "push"}


def test_it_finds_the_current_and_the_numbered_versions_in_one_query() -> None:
    tenant = create_tenant()
    first = create_published(tenant)
    create_published(tenant, template=first.template)
    create_version(tenant, template=first.template)
    create_published(tenant, template=create_template(tenant, "other"))
    catalog.forget()

    with CaptureQueriesContext(connection) as queries:
        found = published(
            tenant.pk, [("greeting", None), ("greeting", 1), ("greeting", 3), ("other", None), ("no", None)]
        )

    numbers = {one: template.number for one, template in found.items()}
    assert numbers == {("greeting", None): 2, ("greeting", 1): 1, ("other", None): 1}
    assert len(queries) == 1


def test_it_remembers_for_a_moment() -> None:
    tenant = create_tenant()
    create_published(tenant)
    published(tenant.pk, [("greeting", None)])

    with CaptureQueriesContext(connection) as queries:
        assert published(tenant.pk, [("greeting", None)])

    assert len(queries) == 0


def test_it_notices_what_another_process_published() -> None:
    version = create_published(create_tenant())
    published(version.tenant.pk, [("greeting", None)])
    Template.objects.filter(pk=version.template_id).update(category="alert")

    deadline = time.monotonic() + 5
    while published(version.tenant.pk, [("greeting", None)])["greeting", None].category != "alert":
        assert time.monotonic() < deadline


@pytest.mark.django_db(transaction=True)
def test_it_sees_a_publication_of_this_process_at_once() -> None:
    tenant = create_tenant()
    first = create_published(tenant)
    assert published(tenant.pk, [("greeting", None)])["greeting", None].number == 1

    create_published(tenant, template=first.template)

    assert published(tenant.pk, [("greeting", None)])["greeting", None].number == 2


def test_it_shows_nothing_of_other_tenants() -> None:
    create_published(create_tenant())

    assert published(create_tenant().pk, [("greeting", None), ("greeting", 1)]) == {}


def test_it_offers_nothing_archived() -> None:
    version = create_published(create_tenant())
    version.template.archived_at = timezone.now()
    version.template.save()

    assert published(version.tenant.pk, [("greeting", None), ("greeting", 1)]) == {}


def test_it_names_the_missing_variables() -> None:
    version = create_published(
        create_tenant(),
        Draft("sms", "en", {"body": "{{ order.id }}{{ name }}"}),
        sample_data={"order": {"id": 1}, "name": ""},
    )
    template = published(version.tenant.pk, [("greeting", 1)])["greeting", 1]

    assert missing_variables(template, {"name": "Ann"}) == ["order"]
    assert missing_variables(template, {"name": "Ann", "order": {}, "more": 1}) == []
