"""A tenant's categories, as operators keep them: `/api/v1/admin/categories`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from django.db import IntegrityError, transaction
from drf_spectacular.utils import extend_schema
from pydantic import Field, StrictBool, StringConstraints
from rest_framework.request import Request
from rest_framework.response import Response

from preferences import changes
from preferences.categories import ESSENTIAL
from preferences.channels import Capped, KnownChannel
from preferences.hours import SendingHours
from preferences.models import Category
from tenants.context import tenant_scope
from tenants.frequency import FrequencyCap
from tenants.operator_views import OperatorView
from tenants.pagination import PAGE_PARAMETERS, page_schema, paginate
from tenants.parsing import Patch, RequestModel, merge_patch, validate
from tenants.problems import FieldError, Problem

_TAGS = ["categories"]


class CategoryFields(RequestModel):
    """What a category is like; its code never changes.

    `channels`: those that it may use, empty: all. `defaults`: on or off by channel, where the recipient says
    nothing; channels left out are on. `frequency`: at most so many of it to a recipient, by channel or of
    `all` of them, and what becomes of one too many. `sending_hours` are by the recipient's clock. `block`:
    why nothing of it is sent, empty where it is.
    """

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    is_critical: StrictBool = False
    is_transactional: StrictBool = False
    unknown_policy: Literal["resend", "wait", "stop"] = "resend"
    channels: list[KnownChannel] = []
    defaults: dict[KnownChannel, StrictBool] = {}
    frequency: dict[Capped, FrequencyCap] = {}
    sending_hours: SendingHours | None = None
    skips_holidays: StrictBool = False
    block: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] = ""

    def columns(self) -> dict[str, Any]:
        hours = self.sending_hours and self.sending_hours.model_dump(exclude_none=True)
        caps = {name: cap.model_dump(exclude_none=True) for name, cap in self.frequency.items()}
        return {**self.model_dump(), "sending_hours": hours, "frequency": caps}


class CategoryDocument(CategoryFields):
    code: Annotated[str, Field(pattern=r"^[-a-zA-Z0-9_]{1,64}$")]

    @classmethod
    def of(cls, row: Category) -> Self:
        return cls.model_validate({name: getattr(row, name) for name in cls.model_fields})

    def shown(self) -> dict[str, Any]:
        return {"code": self.code, **self.columns()}


class CategoriesView(OperatorView):
    permissions: ClassVar = {
        "GET": "preferences.view_category",
        "POST": "preferences.add_category",
        "PUT": "preferences.change_category",
        "PATCH": "preferences.change_category",
        "DELETE": "preferences.delete_category",
    }

    def category(self, code: str) -> Category:
        """In the tenant's scope; locked, so that of two changes at once one is wholly the last."""
        found = Category.objects.select_for_update().filter(tenant_id=self.tenant_id, code=code).first()
        if found is None:
            raise Problem(404, "not_found", "There is no such category.")
        return found

    def saved(self, category: Category, fields: CategoryFields) -> Response:
        for name, value in fields.columns().items():
            setattr(category, name, value)
        category.save()
        changes.of_tenant(self.tenant_id)
        return Response(CategoryDocument.of(category).shown())


class CategoryListView(CategoriesView):
    @extend_schema(
        operation_id="categories_list",
        parameters=PAGE_PARAMETERS,
        responses=page_schema(CategoryDocument),
        tags=_TAGS,
    )
    def get(self, request: Request) -> Response:
        """Newest first."""
        with tenant_scope(self.tenant_id):
            page = paginate(request, Category.objects.filter(tenant_id=self.tenant_id))
        return Response(page.body(lambda row: CategoryDocument.of(row).shown()))

    @extend_schema(
        operation_id="categories_create",
        request=CategoryDocument,
        responses={201: CategoryDocument},
        tags=_TAGS,
    )
    def post(self, request: Request) -> Response:
        """A new category, which can be named in requests at once."""
        new = validate(CategoryDocument, request.data)
        category = Category(tenant_id=self.tenant_id, **new.columns())
        with tenant_scope(self.tenant_id):
            try:
                with transaction.atomic():
                    category.save(force_insert=True)
            except IntegrityError:
                error = FieldError("/code", "category_exists", "There is a category with this code already.")
                raise Problem(409, "category_exists", error.detail, errors=[error]) from None
        return Response(CategoryDocument.of(category).shown(), 201)


class CategoryView(CategoriesView):
    @extend_schema(operation_id="categories_retrieve", responses=CategoryDocument, tags=_TAGS)
    def get(self, request: Request, code: str) -> Response:
        with tenant_scope(self.tenant_id):
            return Response(CategoryDocument.of(self.category(code)).shown())

    @extend_schema(
        operation_id="categories_replace", request=CategoryFields, responses=CategoryDocument, tags=_TAGS
    )
    def put(self, request: Request, code: str) -> Response:
        """What is left out is back at its default. What is waiting is decided again."""
        fields = validate(CategoryFields, request.data)
        with tenant_scope(self.tenant_id):
            return self.saved(self.category(code), fields)

    @extend_schema(
        operation_id="categories_change", request=CategoryFields, responses=CategoryDocument, tags=_TAGS
    )
    def patch(self, request: Request, code: str) -> Response:
        """Change what is given (RFC 7396): null takes away, what is left out stays."""
        patch = validate(Patch, request.data).root
        with tenant_scope(self.tenant_id):
            category = self.category(code)
            present = CategoryDocument.of(category).columns()
            del present["code"]
            return self.saved(category, validate(CategoryFields, merge_patch(present, patch)))

    @extend_schema(operation_id="categories_delete", responses={204: None}, tags=_TAGS)
    def delete(self, request: Request, code: str) -> Response:
        """Templates and requests that name it are refused from now on. `transactional` stays."""
        if code == ESSENTIAL:
            raise Problem(409, "category_in_use", "It is the category of whatever names none.")
        with tenant_scope(self.tenant_id):
            self.category(code).delete()
            changes.of_tenant(self.tenant_id)
        return Response(status=204)
