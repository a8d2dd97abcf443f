"""Where vendors post what they have to tell, where it is their dashboard that says so and no request."""

from base64 import b64encode
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Webhook(BaseModel):
    """The body of `PUT /api/webhooks/{name}`, by the name of a provider or of an account.

    `url` may have a login, `http://user:password@…`, which is sent as HTTP basic authentication. `secret` is
    what posts are signed by, where the vendor signs. With a `verify_token` the URL is asked first, as Meta
    asks it (`sandbox.handshake`), and not taken if it does not answer as it should.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(pattern=r"^https?://")
    secret: str = ""
    verify_token: str = ""

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Self:
        if not urlsplit(self.url).hostname:
            raise ValueError("the URL names no host")
        return self

    @property
    def address(self) -> "Address":
        parts = urlsplit(self.url)
        login, at, host = parts.netloc.rpartition("@")
        headers = {"Authorization": f"Basic {b64encode(unquote(login).encode()).decode()}"} if at else {}
        return Address(urlunsplit(parts._replace(netloc=host)), headers)


@dataclass(frozen=True, slots=True)
class Address:
    """A URL without its login, and the header that the login becomes."""

    url: str
    headers: dict[str, str]


class Webhooks:
    """By provider or account name; an account's own goes before its provider's."""

    def __init__(self) -> None:
        self._webhooks: dict[str, Webhook] = {}

    def set(self, name: str, webhook: Webhook) -> None:
        self._webhooks[name] = webhook

    def find(self, account: str, provider: str) -> Webhook | None:
        return self._webhooks.get(account) or self._webhooks.get(provider)

    def all(self) -> dict[str, str]:
        """Without the secrets: the URLs, by name."""
        return {name: webhook.address.url for name, webhook in self._webhooks.items()}

    def clear(self) -> None:
        self._webhooks.clear()
