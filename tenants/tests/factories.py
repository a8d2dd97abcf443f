"""What every suite needs to be somebody: a tenant, a key, a client that holds it."""

from collections.abc import Sequence
from itertools import count
from typing import Any

from rest_framework.test import APIClient

from tenants.models import SCOPES, ApiKey, Tenant

_number = count(1)


class Api(APIClient):
    """A client that speaks JSON and shows one bearer credential, an API key or a recipient's token."""

    default_format = "json"

    def __init__(self, credential: str) -> None:
        super().__init__(headers={"Authorization": f"Bearer {credential}"})


def create_tenant(**over: Any) -> Tenant:
    slug = f"tenant-{next(_number)}"
    return Tenant.objects.create(**{"slug": slug, "name": slug.title(), **over})


def create_api_key(tenant: Tenant, scopes: Sequence[str] = tuple(SCOPES), **over: Any) -> str:
    """The secret of a new key, with every scope unless told otherwise."""
    _, secret = ApiKey.issue(tenant=tenant, scopes=list(scopes), **over)
    return secret


def api(credential: str) -> Api:
    return Api(credential)
