"""People by the token of their own identity provider: OpenID Connect, an issuer for a tenant.

The token is a JWT that the provider signed with a key of those that it publishes, be it an ID token
(https://openid.net/specs/openid-connect-core-1_0.html#Signing) or an access token (RFC 9068). Which tenant it
is for, its issuer says, and nothing in the token.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from functools import cache
from typing import Annotated, Any

import jwt
from django.conf import settings
from jwt import PyJWKClient
from jwt.exceptions import PyJWKClientConnectionError, PyJWKClientError
from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, TypeAdapter
from rest_framework.exceptions import AuthenticationFailed

from tenants.models import Tenant
from tenants.problems import Problem
from tenants.recipient_tokens import RecipientToken

logger = logging.getLogger(__name__)

# Signatures by key pairs alone (RFC 7518, 3.1; RFC 8037): a public key must never count as a shared secret.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
_PATIENCE = 3.0  # seconds that a provider has to show its keys
_REST = 5.0  # seconds without a question once it did not
_KEEP = 3600.0  # seconds that a key is believed; a new one is asked for when it is met


class Issuer(BaseModel):
    """One of `OIDC_ISSUERS`. `tenant` is a slug; `subject` the claim that is the recipient's id."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str
    audience: str
    keys: AnyHttpUrl
    tenant: str
    subject: str = "sub"
    type: Annotated[str, Field(min_length=1, max_length=64)] = "user"


class Keys:
    """A provider's published keys: those that have proved right count on while it cannot be asked."""

    def __init__(self, url: str) -> None:
        self._client = PyJWKClient(url, timeout=_PATIENCE)
        self._known: dict[str, tuple[jwt.PyJWK, float]] = {}
        self._silent_until = 0.0

    def of(self, token: str) -> jwt.PyJWK:
        """The key that it says it was signed with. Raises `AuthenticationFailed`, or a 503 problem."""
        try:
            id = str(jwt.get_unverified_header(token).get("kid"))
        except jwt.PyJWTError:
            raise AuthenticationFailed from None
        key, until = self._known.get(id, (None, 0.0))
        if key is None or time.monotonic() > until:
            key = self._ask(id)
            self._known[id] = key, time.monotonic() + _KEEP
        return key

    def _ask(self, id: str) -> jwt.PyJWK:
        """Seldom for one that nobody knows: whoever makes up tokens makes up such names."""
        if time.monotonic() < self._silent_until:
            raise _away()
        try:
            return self._client.get_signing_key(id)
        except (PyJWKClientConnectionError, ValueError):  # it does not answer, or not with JSON
            self._silent_until = time.monotonic() + _REST
            logger.warning("an identity provider does not show its keys", exc_info=True)
            raise _away() from None
        except (PyJWKClientError, jwt.PyJWTError):
            raise AuthenticationFailed from None


def issuers() -> dict[str, Issuer]:
    """By their names. Raises pydantic's `ValidationError` for a setting that makes no sense."""
    return {each.issuer: each for each in _parsed(settings.OIDC_ISSUERS)}


def read_user_token(token: str) -> RecipientToken:
    """What it says, while it holds. Raises `AuthenticationFailed`, or a 503 problem. May ask the provider."""
    issuer = _issuer_of(token)
    claims = _verified(token, issuer, _keys(str(issuer.keys)).of(token))
    tenant_id = Tenant.objects.filter(slug=issuer.tenant, is_active=True).values_list("pk", flat=True).first()
    subject = claims.get(issuer.subject)
    if tenant_id is None or not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise AuthenticationFailed
    expires_at = dt.datetime.fromtimestamp(claims["exp"], dt.UTC)
    return RecipientToken(tenant_id, subject, issuer.type, expires_at)


def _issuer_of(token: str) -> Issuer:
    """Whose token it claims to be: nothing of it has been verified."""
    try:
        claimed = jwt.decode(token, options={"verify_signature": False}).get("iss")
    except jwt.PyJWTError:
        raise AuthenticationFailed from None
    issuer = issuers().get(claimed) if isinstance(claimed, str) else None
    if issuer is None:
        raise AuthenticationFailed
    return issuer


def _verified(token: str, issuer: Issuer, key: jwt.PyJWK) -> dict[str, Any]:
    try:
        return jwt.decode(
            token,
            key,
            algorithms=ALGORITHMS,
            audience=issuer.audience,
            issuer=issuer.issuer,
            options={"require": ["iss", "aud", "exp", issuer.subject]},
        )
    except jwt.PyJWTError:
        raise AuthenticationFailed from None


def _away() -> Problem:
    return Problem(503, "unavailable", "The identity provider is away. Try again.", retry_after=_REST)


@cache
def _parsed(setting: str) -> list[Issuer]:
    return TypeAdapter(list[Issuer]).validate_json(setting)


@cache
def _keys(url: str) -> Keys:
    return Keys(url)
