from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from delivery import loop
from delivery.providers.base import ErrorKind, ProviderError, Sent
from delivery.providers.email.amazon_ses import AmazonSes
from delivery.tests.contract import Answer, Server, Signal, json_answer
from delivery.tests.esp import EspContract, mail
from delivery.tests.topic import TopicContract
from sandbox.sns_topic import ARN


def error(status: int, code: str, message: str = "no") -> Answer:
    status, headers, body = json_answer(status, {"message": message})
    return status, {**headers, "x-amzn-ErrorType": code}, body


class TestAmazonSes(TopicContract, EspContract):
    provider = AmazonSes
    signing = ("topics",)
    samples = Path(__file__).parent / "samples" / "amazon_ses"
    base_path = "/ses"
    answers_each = True

    def settings_for(self, base_url: str) -> dict[str, Any]:
        keys = {
            "access_key_id": "AKIA00000000SHOP",
            "secret_access_key": self.secret,
            "region": "eu-central-1",
        }
        sender = {"sender": "Shop <hello@shop.example>", "topics": ARN}
        return {**keys, **sender, "base_url": base_url}

    def taken(self, number: int) -> Answer:
        return json_answer(200, {"MessageId": f"message-{number}"})

    def refused(self) -> Answer:
        return error(400, "BadRequestException", "Missing final '@domain'")

    def about(self, event: dict[str, Any], reference: str, meant: str) -> dict[str, Any]:
        ours = orjson.dumps({"carillon_reference": reference, "carillon_to": meant}).decode()
        return {**event, "mail": {**event["mail"], "headers": [{"name": "X-Metadata", "value": ours}]}}

    @pytest.mark.parametrize(
        ("status", "code", "message", "kind"),
        [
            (400, "AccountSuspendedException", "no", ErrorKind.ACCOUNT),
            (400, "SendingPausedException", "no", ErrorKind.ACCOUNT),
            (400, "MailFromDomainNotVerifiedException", "no", ErrorKind.ACCOUNT),
            (400, "MessageRejected", "Email address is not verified.", ErrorKind.ACCOUNT),
            (400, "MessageRejected", "it contains a virus", ErrorKind.ADDRESS),
            (429, "TooManyRequestsException", "Maximum sending rate exceeded.", ErrorKind.RATE_LIMITED),
            (400, "Throttling", "Daily message quota exceeded.", ErrorKind.ACCOUNT),
            (403, "SignatureDoesNotMatch", "no", ErrorKind.ACCOUNT),
        ],
    )
    def test_it_knows_amazons_codes(self, status: int, code: str, message: str, kind: ErrorKind) -> None:
        """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html#API_SendEmail_Errors"""
        with Server(self, Signal.TAKEN, always=error(status, code, message)) as server:
            outcome = self.ask(server)
        assert isinstance(outcome, ProviderError)
        assert (outcome.kind, outcome.permanent, outcome.code) == (kind, False, code)

    def test_each_mail_of_a_call_has_its_own_result(self) -> None:
        """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_BulkEmailEntryResult.html"""
        results = [
            {"Status": "SUCCESS", "MessageId": "m-1"},
            {"Status": "INVALID_PARAMETER", "Error": "Missing final '@domain'"},
            {"Status": "ACCOUNT_THROTTLED"},
            {"Status": "TRANSIENT_FAILURE"},
        ]
        with Server(
            self, Signal.TAKEN, always=json_answer(200, {"BulkEmailEntryResults": results})
        ) as server:
            provider = self.make(self.settings_for(server.url))
            outcomes = loop.run(provider.send([mail(f"{n}@example.com", "Hi", "b") for n in range(4)]))
        sent, *failed = outcomes
        assert isinstance(sent, Sent)
        assert sent.message_id == "m-1"
        assert [(e.kind, e.permanent) for e in failed if isinstance(e, ProviderError)] == [
            (ErrorKind.ADDRESS, True),
            (ErrorKind.RATE_LIMITED, False),
            (ErrorKind.TRANSIENT, False),
        ]

    def test_an_account_that_may_not_send_fails_its_check(self) -> None:
        with Server(self, Signal.TAKEN, always=json_answer(200, {"SendingEnabled": False})) as server:
            provider = self.make(self.settings_for(server.url))
            with pytest.raises(ProviderError, match="paused"):
                loop.run(provider.check())
