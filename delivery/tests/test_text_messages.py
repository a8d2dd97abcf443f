"""What dispatch makes of text messages, whichever vendor they go by."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from delivery import dispatch
from delivery.tests.factories import (
    EMAIL,
    SMS,
    create_delivery,
    create_smtp,
    create_twilio,
    look,
    make_due,
    outcomes,
)
from sandbox.testing import RunningSandbox
from templates_app.inspection import Draft
from templates_app.tests.factories import create_published
from tenants.models import Tenant

pytestmark = pytest.mark.django_db

LONG = "x" * 307  # three parts


def sent(tenant: Tenant, body: str, *routes: tuple[str, str], **overrides: Any) -> UUID:
    payload = {"content": {"body": body, "subject": "Hi"}, "overrides": {"sms": overrides}}
    id = create_delivery(tenant, *routes, payload=payload)
    dispatch.run(tenant.pk, [id])
    return id


def test_it_works(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_twilio(tenant, sandbox)
    sent(tenant, "“Your code”", transliterate=True)
    (message,) = sandbox.messages()
    assert message["text"] == '"Your code"'


def test_words_stay_as_they_are_unless_it_is_wished(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_twilio(tenant, sandbox)
    sent(tenant, "“Your code”")
    (message,) = sandbox.messages()
    assert message["text"] == "“Your code”"


def test_the_tenant_may_wish_it_for_all(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_twilio(tenant, sandbox)
    Tenant.objects.update(sms_transliterate=True)
    sent(tenant, "“Your code”")
    sent(tenant, "“As it is”", transliterate=False)
    assert sorted(message["text"] for message in sandbox.messages()) == ['"Your code"', "“As it is”"]


def test_too_many_parts_are_not_sent(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_twilio(tenant, sandbox)
    id = sent(tenant, LONG, max_segments=2)
    row = look(id)
    assert (row.status, row.reason) == ("failed", "too_long")
    assert outcomes(id) == []
    assert sandbox.messages() == []


def test_the_tenant_sets_how_many_parts(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_twilio(tenant, sandbox)
    Tenant.objects.update(sms_max_segments=2)
    assert look(sent(tenant, LONG)).reason == "too_long"
    assert look(sent(tenant, LONG, max_segments=3)).status == "sent"


def test_ten_parts_are_the_most_by_default(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_twilio(tenant, sandbox)
    assert look(sent(tenant, "x" * 1530)).status == "sent"
    assert look(sent(tenant, "x" * 1531)).reason == "too_long"


def test_one_that_is_too_long_takes_the_next_route(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_twilio(tenant, sandbox)
    create_smtp(tenant, sandbox)
    id = sent(tenant, "“" + LONG, SMS, EMAIL, max_segments=1, transliterate=True)
    make_due(id)
    dispatch.run(tenant.pk, [id])
    (message,) = sandbox.messages()
    assert message["channel"] == "email"
    assert message["text"].strip() == "“" + LONG


def test_a_template_says_it_too(tenant: Tenant, sandbox: RunningSandbox) -> None:
    create_twilio(tenant, sandbox)
    overrides = '{"transliterate": true, "max_segments": 1}'
    version = create_published(tenant, Draft("sms", "en", {"body": "“{{ name }}”", "overrides": overrides}))
    ids = [
        create_delivery(tenant, template_version_id=version.pk, payload={"data": {"name": name}})
        for name in ("Ann", LONG)
    ]
    dispatch.run(tenant.pk, ids)
    (message,) = sandbox.messages()
    assert message["text"] == '"Ann"'
    assert look(ids[1]).reason == "too_long"
