import logging
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from delivery import receipts, registry
from delivery.models import ProviderAccount
from delivery.providers.base import (
    LoginRequired,
    ProviderError,
    ProviderMisconfigured,
    ReceiptRefused,
    ReceiptRequest,
)
from delivery.registry import UnknownProvider
from tenants.problems import Problem

Answer = TypeVar("Answer")
logger = logging.getLogger(__name__)


@method_decorator(csrf_exempt, name="dispatch")
class ReceiptView(View):
    """`POST /webhooks/{provider}/{account_id}`: a vendor's receipts. The signature is the credential."""

    def post(self, request: HttpRequest, provider: str, account_id: UUID) -> HttpResponse:
        account = _account(provider, account_id)
        self._answer(receipts.receive, request, account)
        return HttpResponse(status=registry.provider(account.channel, account.provider).receipt_answer)

    def get(self, request: HttpRequest, provider: str, account_id: UUID) -> HttpResponse:
        """Some vendors ask first whether the webhook is ours."""
        words = self._answer(receipts.challenged, request, _account(provider, account_id))
        return HttpResponse(words, content_type="text/plain")

    def _answer(
        self,
        ask: Callable[[ProviderAccount, ReceiptRequest], Answer],
        request: HttpRequest,
        account: ProviderAccount,
    ) -> Answer:
        try:
            return ask(account, _as_signed(request))
        except LoginRequired:
            detail = "The webhook's URL has a login."
            raise Problem(401, "not_authenticated", detail, scheme='Basic realm="webhooks"') from None
        except ReceiptRefused as refusal:
            raise Problem(403, "receipt_refused", f"The receipt is refused: {refusal}.") from None
        except (ProviderMisconfigured, UnknownProvider) as misconfigured:
            logger.exception("an account is misconfigured", extra={"account": account.pk})
            detail = "The account cannot verify receipts now. Post this one again later."
            raise Problem(503, "unavailable", detail, retry_after=60) from misconfigured
        except ProviderError as error:
            detail = f"The vendor could not be asked whether it is its own: {error}. Post this again later."
            raise Problem(503, "unavailable", detail, retry_after=60) from None


def _account(provider: str, account_id: UUID) -> ProviderAccount:
    account = ProviderAccount.objects.filter(pk=account_id, provider=provider).first()
    if account is None:
        raise Problem(404, "not_found", "There is no such account.")
    return account


def _as_signed(request: HttpRequest) -> ReceiptRequest:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return ReceiptRequest(
        request.method or "", settings.PUBLIC_URL + request.get_full_path(), headers, request.body
    )
