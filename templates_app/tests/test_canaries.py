from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from uuid import UUID

import pytest
from django.db import IntegrityError, connection

from templates_app import canaries
from templates_app.archiving import archive_version
from templates_app.catalog import choose, published
from templates_app.cohorts import is_among
from templates_app.models import Template, TemplateRelease, TemplateVersion
from templates_app.publishing import publish
from templates_app.releasing import ReleaseError
from templates_app.tests.factories import create_published, create_template, create_version
from tenants.models import Tenant
from tenants.tests.factories import create_tenant

TEN = Decimal(10)
RECIPIENTS = [f"user:user-{number}" for number in range(20_000)]
TEMPLATE_ID = UUID("01980000-0000-7000-8000-000000000001")


def among(percent: str, template_id: UUID = TEMPLATE_ID) -> set[str]:
    return {one for one in RECIPIENTS if is_among(Decimal(percent), template_id, one)}


@pytest.mark.parametrize("percent", ["0.5", "1", "10", "33.33", "50", "90", "100"])
def test_a_share_is_what_it_says(percent: str) -> None:
    """Within four standard deviations of a fair draw."""
    wanted = float(percent) / 100
    deviation = (wanted * (1 - wanted) / len(RECIPIENTS)) ** 0.5
    assert len(among(percent)) / len(RECIPIENTS) == pytest.approx(wanted, abs=4 * deviation)


def test_nobody_flips_while_it_grows() -> None:
    steps = [among(percent) for percent in ("1", "1.01", "5", "25", "25.5", "100")]
    assert all(fewer <= more for fewer, more in pairwise(steps))
    assert steps[-1] == set(RECIPIENTS)


def test_templates_are_tried_on_different_people() -> None:
    """Independent draws of a tenth share about a tenth of them."""
    other = UUID("01980000-0000-7000-8000-000000000002")
    both = among("10") & among("10", other)
    assert len(both) / len(RECIPIENTS) == pytest.approx(0.01, abs=0.003)


def a_pair(tenant: Tenant) -> tuple[TemplateVersion, TemplateVersion]:
    """The published version, and a draft."""
    first = create_published(tenant)
    return first, create_version(tenant, template=first.template)


def chosen(tenant: Tenant) -> dict[str, tuple[int, str]]:
    found = published(tenant.pk, [("greeting", None)])["greeting", None]
    choices = {one: choose(found, number=None, recipient=one) for one in RECIPIENTS[:200]}
    return {one: (c.version.number, c.reason) for one, c in choices.items() if c.version is not None}


def acts(template: Template) -> list[tuple[str, int | None, str]]:
    rows = TemplateRelease.objects.filter(template=template).select_related("version")
    return [(row.act, row.version.number if row.version else None, row.by) for row in rows.order_by("pk")]


@pytest.mark.django_db(transaction=True)
class TestCanary:
    def test_it_works(self) -> None:
        tenant = create_tenant()
        _, draft = a_pair(tenant)
        assert set(chosen(tenant).values()) == {(1, "published")}

        template = canaries.start(draft, TEN, by="ann")

        draft.refresh_from_db()
        assert draft.published_at is not None
        before = chosen(tenant)
        assert set(before.values()) == {(2, "canary"), (1, "not_in_canary")}
        canaries.start(draft, Decimal(60), by="ann")
        after = chosen(tenant)
        assert all(after[one] == found for one, found in before.items() if found == (2, "canary"))
        assert list(after.values()).count((2, "canary")) > list(before.values()).count((2, "canary"))

        canaries.promote(template, by="bob")

        assert set(chosen(tenant).values()) == {(2, "published")}
        assert acts(template)[1:] == [
            ("canary_started", 2, "ann"),
            ("canary_changed", 2, "ann"),
            ("canary_promoted", 2, "bob"),
        ]

    def test_it_is_dropped(self) -> None:
        tenant = create_tenant()
        _, draft = a_pair(tenant)
        template = canaries.drop(canaries.start(draft, TEN), by="bob")

        assert set(chosen(tenant).values()) == {(1, "published")}
        assert (template.canary, template.canary_percent) == (None, None)
        assert acts(template)[-1] == ("canary_dropped", 2, "bob")

    def test_another_takes_its_place(self) -> None:
        tenant = create_tenant()
        first, draft = a_pair(tenant)
        canaries.start(draft, TEN)
        third = create_version(tenant, template=first.template)

        template = canaries.start(third, TEN)

        assert template.canary == third
        assert [act for act, _, _ in acts(template)][-2:] == ["canary_dropped", "canary_started"]

    def test_to_publish_it_is_to_promote_it_and_another_leaves_it_running(self) -> None:
        tenant = create_tenant()
        first, draft = a_pair(tenant)
        canaries.start(draft, TEN)
        fixed = create_published(tenant, template=first.template)
        assert fixed.template.canary == draft
        publish(draft)
        template = Template.objects.get()
        assert (template.published, template.canary) == (draft, None)
        assert acts(template)[-1][0] == "canary_promoted"

    def test_it_is_asked_for_by_its_number_too(self) -> None:
        tenant = create_tenant()
        _, draft = a_pair(tenant)
        canaries.start(draft, TEN)
        found = published(tenant.pk, [("greeting", 2), ("greeting", 1)])
        assert choose(found["greeting", 2], number=2, recipient="x").reason == "requested"
        assert found["greeting", 1].canary is None

    def test_the_same_again_is_no_act(self) -> None:
        _, draft = a_pair(create_tenant())
        template = canaries.start(draft, TEN)
        canaries.start(draft, TEN)
        assert len(acts(template)) == 2

    def test_of_two_who_end_it_at_once_one_does(self) -> None:
        _, draft = a_pair(create_tenant())
        template = canaries.start(draft, TEN)
        told = at_once(lambda: canaries.promote(template), lambda: canaries.drop(template))
        assert sorted(told) == ["", "no_canary"]
        assert len(acts(template)) == 3


def at_once(*deeds: Callable[[], object]) -> list[str]:
    """The code of what each was refused for."""
    barrier, told = threading.Barrier(len(deeds)), list[str]()

    def run(deed: Callable[[], object]) -> None:
        try:
            barrier.wait(10)
            deed()
            told.append("")
        except ReleaseError as error:
            told.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return told


@pytest.mark.django_db
class TestRefusals:
    @pytest.mark.parametrize(
        ("deed", "code"),
        [
            (lambda first, draft: canaries.start(first, TEN), "version_current"),
            (lambda first, draft: canaries.start(archive_version(draft), TEN), "version_archived"),
            (lambda first, draft: canaries.promote(first.template), "no_canary"),
            (lambda first, draft: canaries.drop(first.template), "no_canary"),
            (lambda first, draft: (canaries.start(draft, TEN), archive_version(draft)), "version_in_canary"),
        ],
    )
    def test_it_says_why_not(
        self, deed: Callable[[TemplateVersion, TemplateVersion], object], code: str
    ) -> None:
        with pytest.raises(ReleaseError) as caught:
            deed(*a_pair(create_tenant()))
        assert caught.value.code == code

    def test_it_needs_something_that_it_is_an_exception_from(self) -> None:
        with pytest.raises(ReleaseError) as caught:
            canaries.start(create_version(create_tenant()), TEN)
        assert caught.value.code == "nothing_published"

    @pytest.mark.parametrize("percent", [Decimal(0), Decimal("100.01"), Decimal(-1)])
    def test_the_database_knows_what_a_share_is(self, percent: Decimal) -> None:
        _, draft = a_pair(create_tenant())
        with pytest.raises(IntegrityError):
            canaries.start(draft, percent)

    def test_a_draft_that_fails_is_no_canary(self) -> None:
        tenant = create_tenant()
        template = create_template(tenant)
        create_published(tenant, template=template)
        draft = create_version(tenant, template=template, sample_data={})
        with pytest.raises(Exception, match="name is not in the data"):
            canaries.start(draft, TEN)
        assert Template.objects.get().canary is None
