"""Who is asking: services by API key, people by recipient token or by that of their identity provider."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import jwt
from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from tenants.models import ApiKey, Tenant, hash_key
from tenants.oidc import read_user_token
from tenants.recipient_tokens import RecipientToken

if TYPE_CHECKING:
    from rest_framework.views import APIView

_TOUCH_EVERY = dt.timedelta(minutes=1)
_AUDIENCE = "carillon:recipient"
_ALGORITHM = "HS256"


@dataclass(frozen=True, slots=True)
class Service:
    """Another service of the tenant, by its API key."""

    tenant: Tenant
    key: ApiKey
    is_authenticated: bool = True

    @property
    def is_test(self) -> bool:
        return self.key.mode == ApiKey.Mode.TEST


@dataclass(frozen=True, slots=True)
class RecipientIdentity:
    """A recipient, by a token that a service minted for them or that their identity provider issued."""

    tenant: Tenant
    external_id: str
    type: str
    expires_at: dt.datetime
    is_authenticated: bool = True


def bearer(request: Request) -> str | None:
    scheme, _, credential = get_authorization_header(request).decode("latin-1").partition(" ")
    return credential.strip() if scheme.lower() == "bearer" and credential.strip() else None


class BearerAuthentication(BaseAuthentication):
    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class ApiKeyAuthentication(BearerAuthentication):
    """`Authorization: Bearer ck_live_…`"""

    def authenticate(self, request: Request) -> tuple[Service, ApiKey] | None:
        credential = bearer(request)
        if credential is None:
            return None
        service = authenticate_key(credential)
        return service, service.key


def authenticate_key(secret: str) -> Service:
    now = timezone.now()
    key = (
        ApiKey.objects.select_related("tenant")
        .filter(key_hash=hash_key(secret), tenant__is_active=True)
        .first()
    )
    if key is None or not key.is_valid(now):
        raise exceptions.AuthenticationFailed
    if key.last_used_at is None or key.last_used_at < now - _TOUCH_EVERY:
        stale = Q(last_used_at=None) | Q(last_used_at__lt=now - _TOUCH_EVERY)
        ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)
    return Service(key.tenant, key)


class RecipientTokenAuthentication(BearerAuthentication):
    """`Authorization: Bearer <JWT>`: minted by `mint_recipient_token`, or an OIDC token of the user."""

    def authenticate(self, request: Request) -> tuple[RecipientIdentity, None] | None:
        token = bearer(request)
        return None if token is None else (authenticate_recipient(token), None)


def mint_recipient_token(
    tenant: Tenant,
    external_id: str,
    type: str,
) -> tuple[str, dt.datetime]:
    """A JWT (RFC 7519, HS256) that lets its bearer be this recipient until it expires."""
    expires_at = timezone.now().replace(microsecond=0) + dt.timedelta(
        seconds=settings.RECIPIENT_TOKEN_SECONDS
    )
    claims = {
        "aud": _AUDIENCE,
        "tid": str(tenant.pk),
        "sub": external_id,
        "typ": type,
        "exp": expires_at,
    }
    return jwt.encode(claims, settings.SECRET_KEY, algorithm=_ALGORITHM), expires_at


def authenticate_recipient(token: str) -> RecipientIdentity:
    shown = read_recipient_token(token) if is_ours(token) else read_user_token(token)
    tenant = Tenant.objects.filter(pk=shown.tenant_id, is_active=True).first()
    if tenant is None:
        raise exceptions.AuthenticationFailed
    return RecipientIdentity(tenant, shown.external_id, shown.type, shown.expires_at)


def is_ours(token: str) -> bool:
    """Whether it says that we signed it, which can be told without asking anybody."""
    try:
        return jwt.get_unverified_header(token).get("alg") == _ALGORITHM
    except jwt.InvalidTokenError:
        raise exceptions.AuthenticationFailed from None


def require_active(tenant_id: UUID) -> None:
    if not Tenant.objects.filter(pk=tenant_id, is_active=True).exists():
        raise exceptions.AuthenticationFailed


def read_recipient_token(token: str) -> RecipientToken:
    """What a token that we signed says, while it holds. That its tenant is active, `require_active` knows."""
    claims = _claims(token)
    expires_at = dt.datetime.fromtimestamp(claims["exp"], dt.UTC)
    return RecipientToken(UUID(claims["tid"]), claims["sub"], claims["typ"], expires_at)


def _claims(token: str) -> dict[str, Any]:
    required = ["aud", "tid", "sub", "typ", "exp"]
    try:
        return jwt.decode(
            token,
            settings.SECRET_KEY,
            algorithms=[_ALGORITHM],
            audience=_AUDIENCE,
            options={"require": required},
        )
    except jwt.InvalidTokenError:
        raise exceptions.AuthenticationFailed from None


class IsAuthenticated(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.user, Service | RecipientIdentity)


class HasScope(BasePermission):
    """The key must hold the scope that the view names in `scopes[method]`; None there asks for no scope.

    A method that the view has but does not name is refused; one that it does not have goes on to its 405.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.user, Service):
            return False
        method = "GET" if request.method == "HEAD" else str(request.method)
        if method == "OPTIONS" or not hasattr(view, method.lower()):
            return True
        scopes: Mapping[str, str | None] = getattr(view, "scopes", {})
        return method in scopes and scopes[method] in (None, *request.user.key.scopes)
