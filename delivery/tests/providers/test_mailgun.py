from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from delivery.providers.base import ErrorKind, ProviderError, ReceiptRefused, ReceiptRequest
from delivery.providers.email.mailgun import Mailgun
from delivery.tests.contract import RECEIPT_URL, Answer, Server, Signal, json_answer
from delivery.tests.esp import EspContract, mail
from sandbox.testing import RunningSandbox


class TestMailgun(EspContract):
    provider = Mailgun
    samples = Path(__file__).parent / "samples" / "mailgun"
    signing = ("webhook_key",)
    signs_body = True  # the signature is in it
    base_path = "/mailgun/v3/"

    def settings_for(self, base_url: str) -> dict[str, Any]:
        keys = {"api_key": self.secret, "webhook_key": self.secret, "domain": "mg.shop.example"}
        return {**keys, "sender": "Shop <hello@shop.example>", "base_url": base_url}

    def taken(self, number: int) -> Answer:
        return json_answer(200, {"id": f"<{number}@mg.shop.example>", "message": "Queued. Thank you."})

    def refused(self) -> Answer:
        return json_answer(
            400, {"message": "to parameter is not a valid address. please check documentation"}
        )

    def signed(self, body: Mapping[str, Any], url: str, at: float = 0) -> ReceiptRequest:
        now, token = str(int(at or time.time())), "t" * 50
        signature = hmac.new(self.secret.encode(), f"{now}{token}".encode(), hashlib.sha256).hexdigest()
        block = {"timestamp": now, "token": token, "signature": signature}
        said = orjson.dumps({"signature": block, "event-data": body})
        return ReceiptRequest("POST", url, {"content-type": "application/json"}, said)

    def about(self, event: dict[str, Any], reference: str, meant: str) -> dict[str, Any]:
        return {**event, "user-variables": {"carillon_reference": reference, "carillon_to": meant}}

    def test_it_refuses_a_receipt_without_a_signature(self) -> None:
        request = self.signed(self.body(), RECEIPT_URL)
        for body in (b"{}", b"[]", b'{"signature": {}}', b'{"signature": null}', b""):
            with pytest.raises(ReceiptRefused):
                self.verify(ReceiptRequest("POST", request.url, request.headers, body))

    def test_a_receipt_that_is_too_old_is_refused(self) -> None:
        with pytest.raises(ReceiptRefused, match="too old"):
            self.verify(self.signed(self.body(), RECEIPT_URL, at=time.time() - 2 * 86_400))

    @pytest.mark.parametrize(
        ("status", "message", "kind", "is_permanent"),
        [
            (
                400,
                "'from' parameter is not a valid address. please check documentation",
                ErrorKind.ACCOUNT,
                False,
            ),
            (
                400,
                "'to' parameter is not a valid address. please check documentation",
                ErrorKind.ADDRESS,
                True,
            ),
            (400, "Need at least one of 'text' or 'html' parameters specified", ErrorKind.ADDRESS, False),
            (
                403,
                "Domain mg.shop.example is not allowed to send: account disabled",
                ErrorKind.ACCOUNT,
                False,
            ),
            (400, "Sandbox subdomains are for test purposes only.", ErrorKind.ACCOUNT, False),
            (404, "Domain not found: mg.shop.example", ErrorKind.ACCOUNT, False),
        ],
    )
    def test_it_knows_mailguns_errors(
        self, status: int, message: str, kind: ErrorKind, is_permanent: bool
    ) -> None:
        """https://documentation.mailgun.com/docs/mailgun/quickstart-guide/responses"""
        with Server(self, Signal.TAKEN, always=json_answer(status, {"message": message})) as server:
            outcome = self.ask(server)
        assert isinstance(outcome, ProviderError)
        assert (outcome.kind, outcome.permanent, outcome.code) == (kind, is_permanent, str(status))

    def test_an_address_that_leads_elsewhere_is_no_success(self) -> None:
        """It greets everybody who asks for what is not there."""
        greeting: Answer = (200, {}, b"Mailgun Magnificent API")
        with Server(self, Signal.TAKEN, always=greeting) as server:
            outcome = self.ask(server)
        assert isinstance(outcome, ProviderError)

    def test_a_second_mail_to_somebody_is_another(self, sandbox: RunningSandbox) -> None:
        """Mails of one call have one id at Mailgun."""
        to = ["ann@example.com"] * 3
        outcomes = self.arrives(sandbox, [mail(each, f"Hi {n}", f"Nr {n}") for n, each in enumerate(to)])
        assert len({getattr(outcome, "message_id", "") for outcome in outcomes}) == 3
