from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from delivery.tests.factories import create_smtp
from notifications.models import Notification
from sandbox.testing import RunningSandbox
from templates_app.inspection import Draft
from templates_app.models import TemplateVersion
from templates_app.tests.factories import create_version
from tenants.ids import new_id
from tenants.models import Tenant
from tenants.tests.pages import see, staff

pytestmark = pytest.mark.django_db

Drain = Callable[[], list[str]]
FORM = {
    "channel": "email",
    "locale": "en",
    "mark": "[Test] ",
    "sample": '{"name": "Bo"}',
    "to": "me@example.com",
}


@pytest.fixture
def version(tenant: Tenant) -> TemplateVersion:
    return create_version(tenant, Draft("email", "en", {"subject": "Hi {{ name }}", "body": "x"}))


def url(version: TemplateVersion) -> str:
    return f"/admin/notifications/notification/test-send/{version.pk}/"


@pytest.mark.django_db(transaction=True)
def test_it_works(
    admin_client: Client, tenant: Tenant, version: TemplateVersion, sandbox: RunningSandbox, drain: Drain
) -> None:
    create_smtp(tenant, sandbox, name="mailer")
    change = f"/admin/templates_app/templateversion/{version.pk}/change/"
    assert url(version) in see(admin_client, change)
    answer = admin_client.post(url(version), FORM)
    assert answer.status_code == 302
    drain()
    page = see(admin_client, answer.headers["Location"])
    assert "It is on its way to you" in page
    assert "mailer" in page
    (message,) = sandbox.messages()
    assert (message["to"], message["subject"]) == ("me@example.com", "[Test] Hi Bo")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"to": ""}, "Say which address by email it is to go to."),
        ({"to": "nobody"}, "This is not an email address."),
        ({"sample": "{"}, "Enter a valid JSON"),
        ({"sample": "[1]"}, "The data are a JSON object."),
        ({"sample": "{}"}, "name is not in the data."),
    ],
)
def test_it_says_at_the_field_what_is_wrong(
    admin_client: Client, version: TemplateVersion, given: dict[str, str], says: str
) -> None:
    answer = admin_client.post(url(version), FORM | given)
    assert answer.status_code == 200
    assert says in answer.content.decode()
    assert not Notification.objects.exists()


def test_it_is_for_those_who_may_write_templates(admin_client: Client, version: TemplateVersion) -> None:
    assert staff("templates_app.view_template").post(url(version), FORM).status_code == 403
    assert admin_client.get(url(TemplateVersion(pk=new_id()))).status_code == 404
    assert "on its way" not in see(admin_client, f"{url(version)}?sent={new_id()}")
    assert Client().get(url(version)).status_code == 302
