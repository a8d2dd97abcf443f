"""Access tokens of Google's service accounts: fetched over our session, kept until shortly before they end.

https://developers.google.com/identity/protocols/oauth2/service-account#httprest (RFC 7523)
"""

from __future__ import annotations

import asyncio
import time
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import orjson
from google.auth import jwt
from google.auth.exceptions import GoogleAuthError
from google.oauth2.service_account import Credentials
from pydantic import SecretStr

from delivery.providers.base import ErrorKind, ProviderError
from delivery.providers.http import FORM, Reply, exchange, form

TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - where tokens come from
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFETIME = 3600
"""Seconds that Google lets an assertion live at most."""
_EARLY = 300.0
"""Seconds before its end that a token is replaced."""
_YOUNG = 60.0
"""Seconds; a refused token that is younger would be followed by another that is refused."""


@lru_cache(maxsize=64)
def credentials(document: SecretStr) -> Credentials:
    """The service account in Google's JSON. Raises ValueError, which tells nothing that is in it.

    Kept, because checking an RSA key takes 40 ms.
    """
    try:
        info = orjson.loads(document.get_secret_value())
        found: Credentials | None = Credentials.from_service_account_info(info)  # type: ignore[no-untyped-call]
    except (ValueError, TypeError, AttributeError, KeyError, GoogleAuthError):
        found = None
    if found is None or not found.project_id:
        raise ValueError("this is not the JSON of a service account's key")
    return found


class AccessToken:
    """One account's token. Whoever needs it while it is being fetched waits for the same answer."""

    def __init__(self, document: SecretStr, url: str) -> None:
        self.source = (document, url)
        self._value = ""
        self._fetched_at = self._replaced_at = 0.0
        self._fetching: asyncio.Task[None] | None = None

    async def get(self, timeout: float) -> str:  # noqa: ASYNC109 - for one call, as `exchange` takes it
        if not self._value or time.time() >= self._replaced_at:
            await self._fetched(timeout)
        return self._value

    async def instead_of(self, refused: str, timeout: float) -> str:  # noqa: ASYNC109
        """Another than the refused one, which Google may end before its time; the same if it is young."""
        if self._value == refused and time.time() - self._fetched_at > _YOUNG:
            await self._fetched(timeout)
        return self._value

    async def _fetched(self, timeout: float) -> None:  # noqa: ASYNC109
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch(timeout))
            self._fetching.add_done_callback(self._done)
        await asyncio.shield(self._fetching)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._fetching = None
        if not task.cancelled():
            task.exception()  # whoever still waits raises it

    async def _fetch(self, timeout: float) -> None:  # noqa: ASYNC109
        document, url = self.source
        fields = {"grant_type": _GRANT, "assertion": _assertion(credentials(document))}
        try:
            reply = await exchange("POST", url, timeout=timeout, headers=FORM, data=form(fields))
            if reply.status != 200:
                raise _refusal(reply)
            self._keep(reply.json())
        except ProviderError as error:
            if error.kind is ErrorKind.UNKNOWN:  # whatever became of it, nobody has taken the message yet
                error.kind = ErrorKind.TRANSIENT
            raise

    def _keep(self, granted: Any) -> None:
        try:
            value, lifetime = str(granted["access_token"]), float(granted["expires_in"])
        except (KeyError, TypeError, ValueError):
            words = "the answer grants no token"
            raise ProviderError(ErrorKind.TRANSIENT, words, code="unreadable") from None
        self._value, self._fetched_at = value, time.time()
        self._replaced_at = self._fetched_at + lifetime - min(_EARLY, lifetime / 2)


_tokens: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, AccessToken]] = WeakKeyDictionary()


def access_token(account: str, document: SecretStr, url: str) -> AccessToken:
    """The account's token on the running loop; another one since its settings have changed."""
    kept = _tokens.setdefault(asyncio.get_running_loop(), {})
    token = kept.get(account)
    if token is None or token.source != (document, url):
        token = kept[account] = AccessToken(document, url)
    return token


def _assertion(account: Credentials) -> str:
    now = int(time.time())
    claims = {
        "iss": account.service_account_email,
        "scope": SCOPE,
        "aud": TOKEN_URL,
        "iat": now,
        "exp": now + _LIFETIME,
    }
    encoded: bytes = jwt.encode(account.signer, claims)  # type: ignore[no-untyped-call]
    return encoded.decode()


def _refusal(reply: Reply) -> ProviderError:
    """400 and 401 say what is wrong with the account (RFC 6749, section 5.2)."""
    error = reply.error()
    if reply.status not in (400, 401):
        return error
    try:
        told = reply.json()
        code, words = str(told["error"]), str(told.get("error_description", ""))
    except (ProviderError, KeyError, TypeError, AttributeError):
        code, words = error.code, ""
    return ProviderError(ErrorKind.ACCOUNT, words or "Google grants no token", code=code)
