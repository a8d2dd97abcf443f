from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from delivery import loop
from delivery.providers.base import ErrorKind, ProviderError, ReceiptRequest, Sent
from delivery.providers.email.postmark import Postmark
from delivery.tests.contract import Answer, Server, Signal, json_answer
from delivery.tests.esp import LoginContract, mail


def error(status: int, code: int, message: str = "no") -> Answer:
    return json_answer(status, {"ErrorCode": code, "Message": message})


class TestPostmark(LoginContract):
    provider = Postmark
    samples = Path(__file__).parent / "samples" / "postmark"
    base_path = "/postmark/"
    answers_each = True

    def settings_for(self, base_url: str) -> dict[str, Any]:
        keys = {"server_token": self.secret, "webhook_login": self.login}
        return {**keys, "sender": "Shop <hello@shop.example>", "base_url": base_url}

    def taken(self, number: int) -> Answer:
        said = {"ErrorCode": 0, "Message": "OK", "MessageID": f"message-{number}", "To": self.address}
        return json_answer(200, said)

    def refused(self) -> Answer:
        return error(422, 300, f"Invalid 'To' address: '{self.bad_address}'.")

    def signed(self, body: Mapping[str, Any], url: str) -> ReceiptRequest:
        login = b64encode(self.login.encode()).decode()
        headers = {"authorization": f"Basic {login}", "content-type": "application/json"}
        return ReceiptRequest("POST", url, headers, orjson.dumps(body))

    def about(self, event: dict[str, Any], reference: str, meant: str) -> dict[str, Any]:
        return {**event, "Metadata": {"carillon_reference": reference, "carillon_to": meant}}

    @pytest.mark.parametrize(
        ("status", "code", "kind", "is_permanent"),
        [
            (401, 10, ErrorKind.ACCOUNT, False),
            (422, 400, ErrorKind.ACCOUNT, False),
            (422, 405, ErrorKind.ACCOUNT, False),
            (422, 412, ErrorKind.ACCOUNT, False),
            (422, 411, ErrorKind.ADDRESS, False),
            (503, 100, ErrorKind.TRANSIENT, False),
        ],
    )
    def test_it_knows_postmarks_codes(
        self, status: int, code: int, kind: ErrorKind, is_permanent: bool
    ) -> None:
        """https://postmarkapp.com/developer/api/overview#error-codes"""
        with Server(self, Signal.TAKEN, always=error(status, code)) as server:
            outcome = self.ask(server)
        assert isinstance(outcome, ProviderError)
        assert (outcome.kind, outcome.permanent, outcome.code) == (kind, is_permanent, str(code))

    def test_each_mail_of_a_call_has_its_own_result(self) -> None:
        inactive = "You tried to send to a recipient that has been marked as inactive."
        results = [
            {"ErrorCode": 0, "Message": "OK", "MessageID": "b7bc", "To": "a@example.com"},
            {"ErrorCode": 406, "Message": inactive},
            {"ErrorCode": 405, "Message": "Not allowed to send"},
            {"ErrorCode": 300, "Message": "Error parsing 'To': Illegal email domain"},
            {},
        ]
        with Server(self, Signal.TAKEN, always=json_answer(200, results)) as server:
            provider = self.make(self.settings_for(server.url))
            outcomes = loop.run(provider.send([mail(f"{n}@example.com", "Hi", "b") for n in range(5)]))
        sent, *failed = outcomes
        assert isinstance(sent, Sent)
        assert sent.message_id == "b7bc"
        assert [(e.kind, e.code, e.permanent) for e in failed if isinstance(e, ProviderError)] == [
            (ErrorKind.ADDRESS, "406", True),
            (ErrorKind.ACCOUNT, "405", False),
            (ErrorKind.ADDRESS, "300", True),
            (ErrorKind.UNKNOWN, "unreadable", False),
        ]
