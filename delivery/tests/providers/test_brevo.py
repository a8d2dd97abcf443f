from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from delivery.providers.base import ErrorKind, ProviderError, ReceiptRequest
from delivery.providers.email.brevo import Brevo
from delivery.tests.contract import Answer, Server, Signal, json_answer
from delivery.tests.esp import LoginContract, mail
from sandbox.testing import RunningSandbox


def error(status: int, code: str, message: str = "no") -> Answer:
    return json_answer(status, {"code": code, "message": message})


class TestBrevo(LoginContract):
    provider = Brevo
    samples = Path(__file__).parent / "samples" / "brevo"
    base_path = "/brevo/v3/"
    takes_inline_images = False

    def settings_for(self, base_url: str) -> dict[str, Any]:
        keys = {"api_key": f"xkeysib-{self.secret}", "webhook_login": self.login}
        return {**keys, "sender": "Shop <hello@shop.example>", "base_url": base_url}

    def taken(self, number: int) -> Answer:
        return json_answer(201, {"messageId": f"<{number}@smtp-relay.mailin.fr>"})

    def refused(self) -> Answer:
        return error(400, "invalid_parameter", "email is not valid in to")

    def signed(self, body: Mapping[str, Any], url: str) -> ReceiptRequest:
        login = b64encode(self.login.encode()).decode()
        headers = {"authorization": f"Basic {login}", "content-type": "application/json"}
        return ReceiptRequest("POST", url, headers, orjson.dumps(body))

    def about(self, event: dict[str, Any], reference: str, meant: str) -> dict[str, Any]:
        ours = {"carillon_reference": reference, "carillon_to": meant}
        return {**event, "X-Mailin-custom": orjson.dumps(ours).decode()}

    @pytest.mark.parametrize(
        ("status", "code", "message", "kind"),
        [
            (401, "unauthorized", "Key not found", ErrorKind.ACCOUNT),
            (402, "not_enough_credits", "no", ErrorKind.ACCOUNT),
            (403, "permission_denied", "no", ErrorKind.ACCOUNT),
            (400, "invalid_parameter", "valid sender email required", ErrorKind.ACCOUNT),
            (400, "missing_parameter", "subject is missing", ErrorKind.ADDRESS),
        ],
    )
    def test_it_knows_brevos_codes(self, status: int, code: str, message: str, kind: ErrorKind) -> None:
        """https://developers.brevo.com/docs/how-it-works"""
        with Server(self, Signal.TAKEN, always=error(status, code, message)) as server:
            outcome = self.ask(server)
        assert isinstance(outcome, ProviderError)
        assert (outcome.kind, outcome.permanent, outcome.code) == (kind, False, code)

    def test_what_it_has_no_place_for_is_said(self, sandbox: RunningSandbox) -> None:
        two = replace(
            mail("ann@example.com", "Hi", "b"), overrides={"reply_to": ["a@x.example", "b@x.example"]}
        )
        (outcome,) = self.mails(sandbox, two)
        assert isinstance(outcome, ProviderError)
        assert (outcome.code, "reply_to" in outcome.message) == ("bad_message", True)
