import pytest

from templates_app.archiving import archive, archive_version, restore, restore_version
from templates_app.catalog import published
from templates_app.models import TemplateRelease
from templates_app.publishing import publish
from templates_app.releasing import ReleaseError
from templates_app.tests.factories import create_published, create_template, create_version
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_version_is_no_longer_published_but_sent_where_it_is_named() -> None:
    tenant = create_tenant()
    first = create_published(tenant)
    create_published(tenant, template=first.template)

    archived = archive_version(first, by="ann")

    with pytest.raises(ReleaseError, match="restore it first") as caught:
        publish(archived)
    assert caught.value.code == "version_archived"
    assert published(tenant.pk, [("greeting", 1)])["greeting", 1].version_id == first.pk

    restored = restore_version(archived, by="ann")
    assert (restored.archived_at, publish(restored).number) == (None, 1)
    acts = list(TemplateRelease.objects.order_by("pk").values_list("act", "version__number", "by"))
    assert acts[2:] == [
        ("version_archived", 1, "ann"),
        ("version_restored", 1, "ann"),
        ("rolled_back", 1, ""),
    ]


def test_the_version_that_is_sent_stays() -> None:
    with pytest.raises(ReleaseError) as caught:
        archive_version(create_published(create_tenant()))
    assert caught.value.code == "version_current"


def test_a_draft_may_go_and_come_back() -> None:
    draft = archive_version(create_version(create_tenant()))
    assert draft.archived_at is not None
    assert restore_version(draft).archived_at is None


def test_a_template_goes_and_comes_back_as_it_was() -> None:
    tenant = create_tenant()
    template = create_published(tenant).template
    archive(template, by="ann")
    assert published(tenant.pk, [("greeting", None)]) == {}

    restore(template, by="ann")

    assert published(tenant.pk, [("greeting", None)])["greeting", None].number == 1
    acts = list(TemplateRelease.objects.order_by("pk").values_list("act", "by"))
    assert acts[1:] == [("archived", "ann"), ("restored", "ann")]


def test_a_template_does_not_come_back_where_another_has_its_code() -> None:
    tenant = create_tenant()
    template = archive(create_template(tenant))
    create_template(tenant)
    with pytest.raises(ReleaseError) as caught:
        restore(template)
    assert caught.value.code == "template_exists"


def test_twice_is_once() -> None:
    template = create_template(create_tenant())
    assert archive(template).archived_at == archive(template).archived_at
    restore(template)
    restore(template)
    assert TemplateRelease.objects.count() == 2
