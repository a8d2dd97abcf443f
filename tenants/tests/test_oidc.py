"""Users' tokens of their own identity provider, against one that really publishes its keys."""

from collections.abc import Iterator

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from freezegun import freeze_time
from pydantic import ValidationError
from pytest_django.fixtures import Settings

from tenants.authentication import authenticate_recipient
from tenants.models import Tenant
from tenants.oidc import issuers
from tenants.tests.factories import api, create_tenant
from tenants.tests.identity_provider import IdentityProvider, running_provider

pytestmark = pytest.mark.django_db

URL = "/api/v1/users/me/notifications/unread-count"


@pytest.fixture
def tenant() -> Tenant:
    return create_tenant()


@pytest.fixture
def provider(settings: Settings, tenant: Tenant) -> Iterator[IdentityProvider]:
    with running_provider() as provider:
        settings.OIDC_ISSUERS = provider.issuer(tenant.slug)
        yield provider


def status(token: str) -> int:
    return int(api(token).get(URL).status_code)


def test_it_works(provider: IdentityProvider, tenant: Tenant) -> None:
    token = provider.token("ann")
    assert api(token).get(URL).json() == {"count": 0}
    identity = authenticate_recipient(token)
    assert (identity.tenant, identity.external_id, identity.type) == (tenant, "ann", "user")
    assert provider.asked == 1, "its keys are kept"


def test_it_takes_the_id_from_another_claim(
    provider: IdentityProvider, tenant: Tenant, settings: Settings
) -> None:
    settings.OIDC_ISSUERS = provider.issuer(tenant.slug, subject="customer", type="customer")
    identity = authenticate_recipient(provider.token("7f3a", customer="ann"))
    assert (identity.external_id, identity.type) == ("ann", "customer")
    assert status(provider.token("ann")) == 401


def test_it_refuses_what_the_provider_did_not_say(provider: IdentityProvider) -> None:
    header, claims, signature = provider.token("ann").split(".")
    public = provider.keys["first"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    said = jwt.decode(provider.token("ann"), options={"verify_signature": False})
    with running_provider() as another:
        forged = [
            provider.token("ann", seconds=-1),
            provider.token("ann", aud="another"),
            provider.token("ann", exp=None),
            provider.token("ann", iss=None),
            provider.token(""),
            provider.token("x" * 256),
            provider.token("ann", sub=None),
            another.token("ann"),
            another.token("ann", iss=provider.url),
            jwt.encode(said, "", algorithm="none", headers={"kid": "first"}),
            jwt.encode(said, "x" * 64, algorithm="HS512", headers={"kid": "first"}),
            jwt.encode(said, public.hex(), algorithm="HS512", headers={"kid": "first"}),
            jwt.encode(said, "x" * 64, algorithm="HS256", headers={"kid": "first"}),
            f"{header}.{claims}.{signature[:-4]}AAAA",
            f"{header}.{claims}",
        ]
    assert [status(token) for token in forged] == [401] * len(forged)


def test_it_refuses_everybody_of_a_tenant_that_is_not_active(
    provider: IdentityProvider, tenant: Tenant, settings: Settings
) -> None:
    Tenant.objects.update(is_active=False)
    assert status(provider.token("ann")) == 401
    settings.OIDC_ISSUERS = provider.issuer("nobody")
    assert status(provider.token("ann")) == 401


def test_it_learns_of_new_keys_and_asks_seldom(provider: IdentityProvider) -> None:
    with freeze_time(tick=True) as clock:
        assert status(provider.token("ann")) == 200
        provider.rotate("second")
        token = provider.token("ann")
        assert [status(token), status(token), provider.asked] == [401, 401, 1], "not for each that is unknown"
        clock.tick(31)
        assert status(provider.token("ann")) == 200
    assert provider.asked == 2


def test_it_says_that_the_provider_is_away(provider: IdentityProvider) -> None:
    with freeze_time(tick=True) as clock:
        known = provider.token("ann")
        assert status(known) == 200
        provider.well = False
        provider.rotate("second")
        clock.tick(31)
        told_apart(provider, known)
    assert provider.asked == 2, "it is left alone for a while"


def told_apart(provider: IdentityProvider, known: str) -> None:
    """Who came with a key that is known stays; who comes with another is asked to come again."""
    for _ in range(3):
        answer = api(provider.token("ann")).get(URL)
        assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "unavailable", "5")
        assert status(known) == 200


def test_a_setting_that_makes_no_sense_is_refused(settings: Settings) -> None:
    for setting in (
        '[{"issuer": "x"}]',
        "{}",
        "not json",
        '[{"issuer":"x","audience":"c","keys":"file:///etc","tenant":"t"}]',
    ):
        settings.OIDC_ISSUERS = setting
        with pytest.raises(ValidationError):
            issuers()
