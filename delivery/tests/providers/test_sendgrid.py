from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from delivery.providers.base import ErrorKind, ProviderError, ReceiptRefused, ReceiptRequest
from delivery.providers.email.sendgrid import SendGrid
from delivery.tests.contract import RECEIPT_URL, Answer, Server, Signal, json_answer
from delivery.tests.esp import EspContract
from sandbox.vendors.sendgrid import private_key, public_key


def error(status: int, message: str, field: str | None = None) -> Answer:
    return json_answer(status, {"errors": [{"message": message, "field": field, "help": None}]})


class TestSendGrid(EspContract):
    provider = SendGrid
    samples = Path(__file__).parent / "samples" / "sendgrid"
    signing = ("verification_key",)
    base_path = "/sendgrid/v3/"

    def settings_for(self, base_url: str) -> dict[str, Any]:
        key = {"api_key": f"SG.shop.{self.secret}", "verification_key": public_key(self.secret)}
        return {**key, "sender": "Shop <hello@shop.example>", "base_url": base_url}

    def taken(self, number: int) -> Answer:
        return 202, {"X-Message-Id": f"message-{number}"}, b""

    def refused(self) -> Answer:
        return error(400, "Does not contain a valid address.", "personalizations.0.to.0.email")

    def signed(self, body: Mapping[str, Any], url: str, at: float = 0) -> ReceiptRequest:
        now, said = str(int(at or time.time())), orjson.dumps([body])
        signature = private_key(self.secret).sign(now.encode() + said, ec.ECDSA(hashes.SHA256()))
        headers = {
            "content-type": "application/json",
            "x-twilio-email-event-webhook-signature": b64encode(signature).decode(),
            "x-twilio-email-event-webhook-timestamp": now,
        }
        return ReceiptRequest("POST", url, headers, said)

    def another_secret(self) -> str:
        return public_key("another")

    def about(self, event: dict[str, Any], reference: str, meant: str) -> dict[str, Any]:
        return {**event, "carillon_reference": reference, "carillon_to": meant}

    def test_a_receipt_that_is_too_old_is_refused(self) -> None:
        with pytest.raises(ReceiptRefused, match="too old"):
            self.verify(self.signed(self.body(), RECEIPT_URL, at=time.time() - 2 * 86_400))

    @pytest.mark.parametrize(
        ("answer", "kind", "is_permanent"),
        [
            (error(400, "Does not contain a valid address.", "from.email"), ErrorKind.ACCOUNT, False),
            (error(400, "no", "personalizations.12.to.0.email"), ErrorKind.ADDRESS, True),
            (error(400, "The subject is required.", "subject"), ErrorKind.ADDRESS, False),
            (error(401, "Maximum credits exceeded"), ErrorKind.ACCOUNT, False),
            (
                error(403, "The from address does not match a verified Sender Identity"),
                ErrorKind.ACCOUNT,
                False,
            ),
            (error(413, "Payload Too Large"), ErrorKind.ADDRESS, False),
        ],
    )
    def test_it_knows_sendgrids_errors(self, answer: Answer, kind: ErrorKind, is_permanent: bool) -> None:
        """https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors"""
        with Server(self, Signal.TAKEN, always=answer) as server:
            outcome = self.ask(server)
        assert isinstance(outcome, ProviderError)
        assert (outcome.kind, outcome.permanent, outcome.code) == (kind, is_permanent, str(answer[0]))

    def test_it_waits_until_the_limit_is_lifted(self) -> None:
        """https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/rate-limits"""
        limited = (429, {"X-RateLimit-Reset": str(int(time.time()) + 30)}, b"{}")
        with Server(self, Signal.TAKEN, always=limited) as server:
            outcome = self.ask(server)
        assert isinstance(outcome, ProviderError)
        assert outcome.retry_after is not None
        assert 20 < outcome.retry_after <= 30
