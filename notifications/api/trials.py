"""A wording sent to oneself: `POST /api/v1/admin/templates/{code}/test-send`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from pydantic import BaseModel, Field, StringConstraints
from rest_framework.request import Request
from rest_framework.response import Response

from notifications.api import schemas
from notifications.trials import PREFIX, Wish, outcome, send_test
from templates_app.api import TemplatesView
from templates_app.bodies import Channel, Data, Locale
from templates_app.preview_bodies import VersionNumber
from tenants.context import tenant_scope
from tenants.parsing import RequestModel, validate

Prefix = Annotated[str, StringConstraints(max_length=40, pattern=r"^[^\x00-\x1f\x7f]*$")]
Address = Annotated[str, StringConstraints(min_length=1, max_length=4096)]


class SendTest(RequestModel):
    """Without `version` the newest is sent, without `data` its sample data are in it.

    `to` is the channel's own kind of address, a recipient's id for in_app; left out, the operator's own email
    address. `prefix` stands before the subject or the title; empty for none. The answer comes once the
    message has left or failed, or after `wait` seconds.
    """

    channel: Channel
    version: VersionNumber | None = None
    to: Address | None = None
    locale: Locale | None = None
    data: Data | None = None
    prefix: Prefix = PREFIX
    wait: Annotated[float, Field(ge=0, le=10)] = 5


class Trial(BaseModel):
    """`status` and `reason` are the notification's, which goes on to be found by its `id`."""

    id: UUID
    status: str
    reason: str
    deliveries: list[schemas.Delivery]
    trace: list[schemas.TraceStep]


class SendTestView(TemplatesView):
    permissions: ClassVar = {"POST": "templates_app.change_template"}

    @extend_schema(
        operation_id="template_test_send", request=SendTest, responses={202: Trial}, tags=["operators"]
    )
    def post(self, request: Request, code: str) -> Response:
        """Send a draft or a version by a real account, to oneself. No statistic of the template counts it."""
        wanted = validate(SendTest, request.data)
        with tenant_scope(self.tenant_id):
            version = self.version(code, wanted.version)
        wish = Wish(wanted.channel, wanted.to or "", wanted.locale or "", wanted.data, wanted.prefix)
        sent = send_test(self.operator.user, self.tenant, version, wish)
        told = outcome(self.tenant_id, sent.id, within=wanted.wait)
        answer: dict[str, Any] = {name: told[name] for name in Trial.model_fields}
        return Response(answer, 202)
