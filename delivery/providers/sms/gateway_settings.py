"""The settings of an HTTP gateway: what is asked of whoever describes it, and what they cannot be."""

from __future__ import annotations

import re
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from delivery.providers.base import ProviderSettings, ReceiptStatus
from delivery.providers.sms.gateway_terms import ErrorRule, Expression, Statuses, known_places, places

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_CREDENTIAL = re.compile(r"authorization|key|token|secret|password", re.IGNORECASE)
_RECEIPT_FIELDS = {"items", "message_id", "status", "code", "reference", "sender", "recipient", "text"}


class GatewaySettings(ProviderSettings):
    """What has to be known of a gateway. Most of it has a default that many gateways go by."""

    method: Literal["POST", "PUT", "GET"] = Field("POST", title="Method")
    url: str = Field(
        title="URL",
        description="Where a message goes. May hold placeholders, as the parameters do.",
        pattern=r"^https?://",
    )
    encoding: Literal["json", "form", "query"] = Field(
        "json", title="Parameters travel as", description="A JSON body, a form, or in the URL."
    )
    parameters: dict[str, Any] = Field(
        {"to": "{to}", "text": "{text}", "from": "{sender}"},
        title="Parameters",
        description="A JSON object. {to}, {to_digits} (without +), {text}, {sender}, {reference},"
        " {receipt_url} and {secret} are filled in.",
    )
    headers: dict[str, str] = Field(
        {},
        title="Headers",
        description='Such as {"Authorization": "Bearer {secret}"}.',
    )
    secret: SecretStr | None = Field(
        None, title="Secret", description="Key, token or password, wherever {secret} stands."
    )
    sender: str = Field("", title="From", max_length=20, pattern=r"^[^\x00-\x1f\x7f]*$")
    success_statuses: Statuses = Field("200-299", title="Statuses of success", min_length=3)
    success: Expression = Field(
        "",
        title="Taken if",
        description="A JMESPath, status == 'ok', or a /regular expression/, that finds something in the"
        " answer. Empty: the status decides.",
    )
    message_id: Expression = Field(
        "", title="Message id", description="messages[0].id, or a regular expression: /id=(\\w+)/"
    )
    errors: list[ErrorRule] = Field(
        [],
        title="Errors",
        description='The first that fits decides: [{"status": "400", "matches": "code == `21`", "kind":'
        ' "address", "permanent": true}]. Kinds: transient, rate_limited, account, address, unknown.',
    )
    check_url: str = Field(
        "",
        title="Check URL",
        description="What a connection test gets, with the same headers: the balance, say.",
        pattern=r"^(https?://.*)?$",
    )
    receipt_proof: Literal["none", "header", "parameter", "hmac_sha256", "hmac_sha1", "hmac_sha512"] = Field(
        "none",
        title="Receipts show",
        description="The secret in a header or in a parameter of the URL, or an HMAC of the body in a"
        " header, in hex or base64. None: no receipts are taken.",
    )
    receipt_place: str = Field(
        "X-Signature", title="In", description="The name of that header or parameter.", min_length=1
    )
    receipt_secret: SecretStr | None = Field(
        None, title="Secret of receipts", description="Empty: the secret above."
    )
    receipt_fields: dict[str, Expression] = Field(
        {"message_id": "id", "status": "status"},
        title="In receipts",
        description="Where message_id, status, code and reference stand in a receipt; items, where one"
        " request brings a list of them. For replies: sender, recipient and text.",
    )
    receipt_statuses: dict[str, ReceiptStatus] = Field(
        {},
        title="Words of receipts",
        description='Beside the usual ones: {"0": "delivered", "2": "failed", "4": "sent"}.',
    )

    _known = field_validator("parameters", "headers", "url", "check_url")(known_places)

    @field_validator("url", "check_url")
    @classmethod
    def _leads_to_one_host(cls, url: str) -> str:
        if url and (not urlsplit(url).hostname or "{" in urlsplit(url).netloc):
            raise ValueError("it names no host, or one that has to be filled in")
        return url

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not _HEADER.fullmatch(name) or not value.isprintable() or "{text}" in value:
                raise ValueError(f"{name} is no header of one line")
            if _CREDENTIAL.search(name) and "{secret}" not in value:
                raise ValueError(f"{name}: write {{secret}} for the credential, and give it as the secret")
        return headers

    @field_validator("secret", "receipt_secret")
    @classmethod
    def _fits_in_a_header(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not secret.get_secret_value().isprintable():
            raise ValueError("it holds line breaks or other control characters")
        return secret

    @field_validator("receipt_fields")
    @classmethod
    def _are_receipt_fields(cls, fields: dict[str, str]) -> dict[str, str]:
        if strange := fields.keys() - _RECEIPT_FIELDS:
            raise ValueError(f"{min(strange)} is none of {', '.join(sorted(_RECEIPT_FIELDS))}")
        return fields

    @model_validator(mode="after")
    def _fits_together(self) -> GatewaySettings:
        if complaint := _complaint(self):
            raise ValueError(complaint)
        return self


def _complaint(own: GatewaySettings) -> str:
    """What the settings cannot be together, or nothing."""
    named = set(places([own.url, own.parameters, own.headers]))
    if missing := {"to", "text"} - (named | ({"to"} if "to_digits" in named else set())):
        return f"neither URL nor parameters hold {{{min(missing)}}}"
    if "secret" in named and own.secret is None:
        return "{secret} is to be filled in, and there is none"
    if own.encoding != "json" and any(isinstance(value, dict | list) for value in own.parameters.values()):
        return f"parameters that travel as {own.encoding} are texts and numbers"
    if own.method == "GET" and own.encoding != "query":
        return "a GET has no body: its parameters travel as query"
    if own.receipt_proof != "none" and own.receipt_secret is None and own.secret is None:
        return "receipts are to show a secret, and there is none"
    return ""
