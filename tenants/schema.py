"""How the OpenAPI document names the ways to authenticate; imported by `config.urls` for it to know them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "tenants.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A service's key: `ck_live_…` or `ck_test_…`.",
        }


class RecipientTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "tenants.authentication.RecipientTokenAuthentication"
    name = "recipientToken"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        description = "A recipient's token, from `POST /services/recipients/{id}/token`."
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": description}


class AnyCredentialScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """One of the others, whichever the caller has. They define themselves, where they stand alone."""

    target_class = "tenants.credentials.AnyCredential"
    name: list[str] = []

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        return [{scheme: []} for scheme in ("apiKey", "recipientToken", "operatorSession")]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, Any]]:
        return []
