from __future__ import annotations

import datetime as dt
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from standardwebhooks import Webhook

from delivery import loop
from delivery.providers.base import ErrorKind, ProviderError, ReceiptRefused, ReceiptRequest
from delivery.providers.email.resend import Resend
from delivery.tests.contract import RECEIPT_URL, Answer, Server, Signal, json_answer
from delivery.tests.esp import EspContract

KEY = f"whsec_{b64encode(b'k' * 24).decode()}"


def error(status: int, name: str, message: str = "no") -> Answer:
    return json_answer(status, {"statusCode": status, "name": name, "message": message})


class TestResend(EspContract):
    provider = Resend
    samples = Path(__file__).parent / "samples" / "resend"
    signing = ("webhook_key",)
    base_path = "/resend/"

    def settings_for(self, base_url: str) -> dict[str, Any]:
        keys = {"api_key": f"re_{self.secret}", "webhook_key": KEY}
        return {**keys, "sender": "Shop <hello@shop.example>", "base_url": base_url}

    def webhook_secret(self) -> str:
        return KEY

    def another_secret(self) -> str:
        return f"whsec_{b64encode(b'x' * 24).decode()}"

    def taken(self, number: int) -> Answer:
        return json_answer(200, {"id": f"message-{number}"})

    def refused(self) -> Answer:
        return error(422, "validation_error", "Invalid `to` field. The email address needs to follow …")

    def signed(self, body: Mapping[str, Any], url: str, at: dt.datetime | None = None) -> ReceiptRequest:
        now, said = at or dt.datetime.now(dt.UTC), orjson.dumps(body)
        headers = {
            "content-type": "application/json",
            "svix-id": "msg_1",
            "svix-timestamp": str(int(now.timestamp())),
            "svix-signature": Webhook(KEY).sign("msg_1", now, said.decode()),
        }
        return ReceiptRequest("POST", url, headers, said)

    def about(self, event: dict[str, Any], reference: str, meant: str) -> dict[str, Any]:
        ours = orjson.dumps({"carillon_reference": reference, "carillon_to": meant}).decode()
        data = {
            **event["data"],
            "to": ["bob@example.com"],
            "headers": [{"name": "X-Metadata", "value": ours}],
        }
        return {**event, "data": data}

    def test_a_receipt_that_is_too_old_is_refused(self) -> None:
        old = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=10)
        with pytest.raises(ReceiptRefused, match="too old"):
            self.verify(self.signed(self.body(), RECEIPT_URL, at=old))

    @pytest.mark.parametrize(
        ("status", "name", "message", "kind"),
        [
            (403, "invalid_api_key", "API key is invalid", ErrorKind.ACCOUNT),
            (422, "invalid_from_address", "no", ErrorKind.ACCOUNT),
            (403, "validation_error", "The domain.com domain is not verified.", ErrorKind.ACCOUNT),
            (422, "validation_error", "Invalid `from` field.", ErrorKind.ACCOUNT),
            (429, "daily_quota_exceeded", "no", ErrorKind.ACCOUNT),
            (429, "rate_limit_exceeded", "no", ErrorKind.RATE_LIMITED),
            (422, "invalid_attachment", "no", ErrorKind.ADDRESS),
            (500, "application_error", "no", ErrorKind.TRANSIENT),
        ],
    )
    def test_it_knows_resends_names(self, status: int, name: str, message: str, kind: ErrorKind) -> None:
        """https://resend.com/docs/api-reference/errors"""
        with Server(self, Signal.TAKEN, always=error(status, name, message)) as server:
            outcome = self.ask(server)
        assert isinstance(outcome, ProviderError)
        assert (outcome.kind, outcome.permanent, outcome.code) == (kind, False, name)

    def test_a_key_that_only_sends_passes_the_check(self) -> None:
        restricted = error(401, "restricted_api_key", "This API key is restricted to only send emails.")
        with Server(self, Signal.TAKEN, always=restricted) as server:
            loop.run(self.make(self.settings_for(server.url)).check())
