"""Lists of values: `/api/v1/lookups/{type}` for everybody, `/api/v1/admin/lookups/{type}` to change some."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response, patch_vary_headers
from drf_spectacular.utils import OpenApiParameter, extend_schema
from pydantic import BaseModel, Field, StringConstraints
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from notifications import lookups
from notifications.lookups import CATEGORIES, LISTS, OWN, Wording
from templates_app.bodies import Locale
from templates_app.locales import best_locale
from tenants.context import tenant_scope
from tenants.credentials import SOMEBODY, AnyCredential, IsSomebody
from tenants.lookups import Value
from tenants.models import Tenant
from tenants.operator_views import OperatorView
from tenants.parsing import RequestModel, validate
from tenants.problems import FORBIDDEN

_FRESH = 60  # seconds that a client may go on with what it has, without asking
_TAGS = ["lookups"]
_ENGLISH = "en"

Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Translations = Annotated[dict[Locale, Label], Field(max_length=50)]


class NewValue(RequestModel):
    code: Annotated[str, StringConstraints(pattern=r"^[-a-zA-Z0-9_]+$", max_length=64)]
    label: Label
    translations: Translations = {}


class ValueChange(RequestModel):
    """What is left out, or null, stays as it is. The code never changes."""

    label: Label | None = None
    translations: Translations | None = None


class ValueView(BaseModel):
    """`label` is in the locale asked for, as far as it is known; `translations` are all there are."""

    code: str
    label: str
    translations: dict[str, str]

    @classmethod
    def of(cls, value: Value, locale: str) -> ValueView:
        known = {_ENGLISH: value.label, **value.translations}
        return cls(
            code=value.code,
            label=known[best_locale(locale, _ENGLISH, known) or _ENGLISH],
            translations=dict(value.translations),
        )


class Lookup(BaseModel):
    """`editable`: the list is the tenant's own."""

    type: str
    editable: bool
    results: list[ValueView]


class Lookups(BaseModel):
    types: list[str]


_LOCALE = OpenApiParameter("locale", str, description="BCP 47; without it, the tenant's.")


class LookupsView(APIView):
    authentication_classes = [AnyCredential]
    permission_classes = [IsSomebody]
    throttle_group = "lookups"

    @extend_schema(operation_id="lookups_list", responses=Lookups, tags=_TAGS)
    def get(self, request: Request) -> HttpResponseBase:
        """The names of the lists."""
        return _cached(request, Lookups(types=list(LISTS)))


class LookupView(APIView):
    authentication_classes = [AnyCredential]
    permission_classes = [IsSomebody]
    throttle_group = "lookups"

    @extend_schema(operation_id="lookups_retrieve", parameters=[_LOCALE], responses=Lookup, tags=_TAGS)
    def get(self, request: Request, type: str) -> HttpResponseBase:
        """A list's values, with an ETag: with `If-None-Match` the answer is 304 while they are the same."""
        assert isinstance(request.user, SOMEBODY)
        return _answer(request, request.user.tenant, type)


class OperatorLookupView(OperatorView):
    @extend_schema(operation_id="admin_lookups_retrieve", parameters=[_LOCALE], responses=Lookup, tags=_TAGS)
    def get(self, request: Request, type: str) -> HttpResponseBase:
        """As everybody sees it."""
        return _answer(request, self.tenant, type)

    @extend_schema(operation_id="admin_lookups_add", request=NewValue, responses={201: ValueView}, tags=_TAGS)
    def post(self, request: Request, type: str) -> Response:
        """Adds a value to one of the tenant's own lists: categories, template_types, user_types."""
        _permit(self, type, "add")
        wanted = validate(NewValue, request.data)
        with tenant_scope(self.tenant_id):
            wording = Wording(wanted.label, wanted.translations)
            value = lookups.add(self.tenant_id, type, wanted.code, wording)
        return Response(_plain(value), 201)


class OperatorLookupValueView(OperatorView):
    @extend_schema(operation_id="admin_lookups_change", request=ValueChange, responses=ValueView, tags=_TAGS)
    def patch(self, request: Request, type: str, code: str) -> Response:
        _permit(self, type, "change")
        wanted = validate(ValueChange, request.data)
        with tenant_scope(self.tenant_id):
            wording = Wording(wanted.label, wanted.translations)
            return Response(_plain(lookups.change(self.tenant_id, type, code, wording)))

    @extend_schema(operation_id="admin_lookups_remove", responses={204: None}, tags=_TAGS)
    def delete(self, request: Request, type: str, code: str) -> Response:
        """409 while something says it."""
        _permit(self, type, "delete")
        with tenant_scope(self.tenant_id):
            lookups.remove(self.tenant_id, type, code)
        return Response(status=204)


def _permit(view: OperatorView, type: str, act: str) -> None:
    app, model = ("preferences", "category") if type == CATEGORIES else ("tenants", "lookupvalue")
    if not view.operator.user.has_perm(f"{app}.{act}_{model}"):
        raise FORBIDDEN


def _answer(request: Request, tenant: Tenant, type: str) -> HttpResponseBase:
    locale = request.query_params.get("locale") or tenant.locale
    with tenant_scope(tenant.pk):
        found: Sequence[Value] = lookups.values(tenant.pk, type)
    shown = [ValueView.of(value, locale) for value in found]
    return _cached(request, Lookup(type=type, editable=type in OWN, results=shown))


def _cached(request: Request, body: BaseModel) -> HttpResponseBase:
    document = body.model_dump()
    digest = hashlib.blake2b(orjson.dumps(document), digest_size=12).hexdigest()
    answer = Response(
        document, headers={"ETag": f'"{digest}"', "Cache-Control": f"private, max-age={_FRESH}"}
    )
    patch_vary_headers(answer, ("Authorization", "Cookie", "X-Tenant"))
    known = get_conditional_response(request._request, etag=f'"{digest}"', response=answer)  # noqa: SLF001  DRF's
    return known or answer


def _plain(value: Value) -> dict[str, Any]:
    return ValueView.of(value, _ENGLISH).model_dump()
