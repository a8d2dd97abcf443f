"""The smallest views that show what the rules around every view do, and one of each failure."""

from collections.abc import Callable
from typing import Any, cast

from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.http import require_GET
from redis.exceptions import ConnectionError as RedisConnectionError
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tenants.authentication import HasScope, RecipientIdentity, RecipientTokenAuthentication, Service
from tenants.logging import request_id
from tenants.parsing import RequestModel, validate
from tenants.problems import Problem
from tenants.tracing import traceparent


class Address(RequestModel):
    email: str


class Item(RequestModel):
    name: str
    recipient: str | Address = "ann"
    tags: list[int] = []


class Nested(serializers.Serializer[Any]):
    items = serializers.ListField(child=serializers.DictField(child=serializers.IntegerField()))


class Whoami(APIView):
    permission_classes = [HasScope]
    scopes = {"GET": "notifications:read", "POST": "notifications:send", "PUT": None}

    def get(self, request: Request) -> Response:
        service = cast("Service", request.user)
        return Response({"tenant": service.tenant.slug, "is_test": service.is_test})

    def post(self, request: Request) -> Response:
        return Response(validate(Item, request.data).model_dump())

    def put(self, request: Request) -> Response:
        return Response(request.data)

    def delete(self, request: Request) -> Response:
        raise AssertionError("a method without a scope is never reached")


class OtherGroup(Whoami):
    throttle_group = "other"


class Me(APIView):
    authentication_classes = [RecipientTokenAuthentication]

    def get(self, request: Request) -> Response:
        recipient = cast("RecipientIdentity", request.user)
        return Response({"id": recipient.external_id, "type": recipient.type})


class Correlation(APIView):
    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Request) -> Response:
        return Response({"request_id": request_id.get(), "traceparent": traceparent()})


ERRORS: dict[str, Callable[[], Exception]] = {
    "problem": lambda: Problem(422, "impossible", "It cannot be."),
    "denied": lambda: PermissionDenied("secret"),
    "missing": lambda: Http404("secret"),
    "parse": lambda: exceptions.ParseError("secret"),
    "throttled": lambda: exceptions.Throttled(wait=2.2),
    "database": lambda: OperationalError("secret"),
    "valkey": lambda: RedisConnectionError("secret"),
    "defect": lambda: ZeroDivisionError("secret"),
}


class Raise(APIView):
    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Request, name: str) -> Response:
        raise ERRORS[name]()

    def post(self, request: Request, name: str) -> Response:
        Nested(data=request.data).is_valid(raise_exception=True)
        return Response()


def raise_outside(request: HttpRequest, name: str) -> HttpResponse:
    raise ERRORS[name]()


@require_GET
def only_get(request: HttpRequest) -> HttpResponse:
    return HttpResponse("fine")


def stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(f"row {n}\n" for n in range(100_000))


urlpatterns = [
    path("api/whoami", Whoami.as_view()),
    path("api/other-group", OtherGroup.as_view()),
    path("api/me", Me.as_view()),
    path("api/correlation", Correlation.as_view()),
    path("api/raise/<name>", Raise.as_view()),
    path("raise/<name>", raise_outside),
    path("admin/raise/<name>", raise_outside),
    path("only-get", only_get),
    path("stream", stream),
]

handler400 = "tenants.problems.bad_request"
handler403 = "tenants.problems.permission_denied"
handler404 = "tenants.problems.not_found"
handler500 = "tenants.problems.server_error"
