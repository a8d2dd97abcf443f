"""Provider accounts for operators: `/api/v1/admin/providers`. Those of the tenant, not the installation's."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar
from uuid import UUID

from django.db import IntegrityError, transaction
from drf_spectacular.utils import extend_schema
from pydantic import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from delivery import loop
from delivery.accounts import instance, set_settings
from delivery.bodies import (
    AccountChange,
    AccountView,
    CheckAnswer,
    CheckError,
    NewAccount,
    Steer,
)
from delivery.intervening import unpark
from delivery.models import ProviderAccount, Steering
from delivery.providers.base import ProviderError, ProviderMisconfigured, elapsed_ms
from delivery.registry import UnknownProvider, provider, providers
from delivery.steering import steer
from delivery.vitals import last_hour
from tenants.context import tenant_scope
from tenants.operator_views import OperatorView
from tenants.pagination import PAGE_PARAMETERS, page_schema, paginate
from tenants.parsing import field_errors, validate
from tenants.problems import FieldError, Problem, invalid

_TAGS = ["providers"]


class ProvidersView(OperatorView):
    permissions: ClassVar = {
        "GET": "delivery.view_provideraccount",
        "POST": "delivery.change_provideraccount",
        "PATCH": "delivery.change_provideraccount",
        "DELETE": "delivery.delete_provideraccount",
    }

    def account(self, id: UUID) -> ProviderAccount:
        found = ProviderAccount.objects.filter(tenant=self.tenant_id, pk=id).first()
        if found is None:
            raise Problem(404, "not_found", "There is no such provider account.")
        return found


class ProviderList(ProvidersView):
    permissions: ClassVar = {**ProvidersView.permissions, "POST": "delivery.add_provideraccount"}

    @extend_schema(
        operation_id="providers_list",
        parameters=PAGE_PARAMETERS,
        responses=page_schema(AccountView),
        tags=_TAGS,
    )
    def get(self, request: Request) -> Response:
        """Newest first, each with its health and its last hour."""
        with tenant_scope(self.tenant_id):
            page = paginate(request, ProviderAccount.objects.filter(tenant=self.tenant_id))
        hours = last_hour([row.pk for row in page.rows])
        return Response(page.body(lambda row: AccountView.of(row, hours.get(row.pk)).model_dump()))

    @extend_schema(
        operation_id="providers_create", request=NewAccount, responses={201: AccountView}, tags=_TAGS
    )
    def post(self, request: Request) -> Response:
        """The settings are checked against what the provider asks for. Nobody is called: see `check`."""
        wanted = validate(NewAccount, request.data)
        columns = wanted.model_dump(exclude={"settings"})
        account = ProviderAccount(tenant=self.operator.tenant, **columns)
        _configure(account, wanted.settings)
        with tenant_scope(self.tenant_id):
            _save(account)
        return Response(_shown(account), 201)


class ProviderDetail(ProvidersView):
    @extend_schema(operation_id="providers_retrieve", responses=AccountView, tags=_TAGS)
    def get(self, request: Request, id: UUID) -> Response:
        with tenant_scope(self.tenant_id):
            account = self.account(id)
        return Response(_shown(account))

    @extend_schema(operation_id="providers_change", request=AccountChange, responses=AccountView, tags=_TAGS)
    def patch(self, request: Request, id: UUID) -> Response:
        changes = validate(AccountChange, request.data).model_dump(exclude_unset=True)
        settings = changes.pop("settings", None)
        with tenant_scope(self.tenant_id):
            account = self.account(id)
            for name, value in changes.items():
                setattr(account, name, value)
            if settings is not None:
                _configure(account, {**account.settings, **settings})
                changes |= dict.fromkeys(("settings", "secrets", "secrets_key_id"))
            _save(account, fields=list(changes))
        return Response(_shown(account))

    @extend_schema(operation_id="providers_delete", responses={204: None}, tags=_TAGS)
    def delete(self, request: Request, id: UUID) -> Response:
        """What it sent stays on record. What waits goes by another account."""
        with tenant_scope(self.tenant_id):
            self.account(id).delete()
        return Response(status=204)


class ProviderCheck(ProvidersView):
    @extend_schema(operation_id="providers_check", request=None, responses=CheckAnswer, tags=_TAGS)
    def post(self, request: Request, id: UUID) -> Response:
        """Sign in with the settings as they are. Nothing is sent to anybody; no transaction is open."""
        with tenant_scope(self.tenant_id):
            account = self.account(id)
        return Response(_checked(account).model_dump())


class ProviderSteer(ProvidersView):
    @extend_schema(operation_id="providers_steer", request=Steer, responses=AccountView, tags=_TAGS)
    def post(self, request: Request, id: UUID) -> Response:
        """Pin it, drain it, or let it go. It holds from the next chunk on."""
        wanted = validate(Steer, request.data)
        steering = Steering(wanted.steering) if wanted.steering else None
        with tenant_scope(self.tenant_id):
            account = self.account(id)
            steer(account, steering, by=self.operator.user.get_username(), reason=wanted.reason)
        return Response(_shown(account))


def _configure(account: ProviderAccount, settings: Mapping[str, Any]) -> None:
    """The settings on the account, or a problem that points at what is wrong with them."""
    found = providers().get((account.channel, account.provider))
    if found is None or not found.needs_account:
        detail = f"There is no provider {account.provider!r} for {account.channel} that takes an account."
        error = FieldError("/provider", "unknown_provider", detail)
        raise Problem(422, "unknown_provider", detail, errors=[error])
    try:
        set_settings(account, settings)
    except ValidationError as wrong:
        raise invalid(field_errors(wrong, "/settings", settings)) from None
    except ProviderMisconfigured as sealed:
        raise Problem(409, "secrets_unreadable", f"{sealed}. Give all of them anew.") from None


def _save(account: ProviderAccount, fields: list[str] | None = None) -> None:
    try:
        with transaction.atomic():
            account.save(update_fields=fields)
            transaction.on_commit(partial(unpark, account.channel, account.tenant_id))
    except IntegrityError:
        error = FieldError("/name", "provider_exists", "There is an account with this name already.")
        raise Problem(409, "provider_exists", error.detail, errors=[error]) from None


def _shown(account: ProviderAccount) -> dict[str, Any]:
    return AccountView.of(account, last_hour([account.pk]).get(account.pk)).model_dump()


def _checked(account: ProviderAccount) -> CheckAnswer:
    begun = time.perf_counter()
    error = None
    try:
        loop.run(instance(account, provider(account.channel, account.provider)).check())
    except ProviderError as refused:
        error = CheckError(kind=refused.kind, code=refused.code, detail=refused.message)
    except (ProviderMisconfigured, UnknownProvider) as wrong:
        error = CheckError(kind="misconfigured", code="", detail=str(wrong))
    return CheckAnswer(is_ok=error is None, ms=elapsed_ms(begun), error=error)
