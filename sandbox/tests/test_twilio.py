import base64
import http.client
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from sandbox.testing import RunningSandbox
from sandbox.tests.conftest import Application

ACCOUNT, TOKEN = "AC" + "0" * 32, "a-token"
ANN, SENDER = "+15551234567", "+15005550006"


class Redirected(TwilioHttpClient):  # type: ignore[misc]
    """The library's own client, with the sandbox where Twilio stands."""

    def __init__(self, base_url: str, timeout: float = 5) -> None:
        super().__init__(timeout=timeout)
        self.base_url = base_url

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        return super().request(method, url.replace("https://api.twilio.com", self.base_url), *args, **kwargs)


@pytest.fixture
def client(sandbox: RunningSandbox) -> Client:
    return Client(ACCOUNT, TOKEN, http_client=Redirected(sandbox.http_url))


def refusal(client: Client, **over: Any) -> TwilioRestException:
    with pytest.raises(TwilioRestException) as refused:
        client.messages.create(**{"to": ANN, "from_": SENDER, "body": "hi", **over})
    return refused.value


def test_it_works(sandbox: RunningSandbox, client: Client) -> None:
    sent = client.messages.create(to=ANN, from_=SENDER, body="Your code is 123 🔑")
    assert sent.sid.startswith("SM")
    assert len(sent.sid) == 34
    assert (sent.status, sent.direction, sent.num_segments) == ("queued", "outbound-api", "1")
    assert (sent.account_sid, sent.to, sent.from_, sent.error_code) == (ACCOUNT, ANN, SENDER, None)
    assert abs((datetime.now(UTC) - sent.date_created).total_seconds()) < 60
    [message] = sandbox.messages(channel="sms", provider="twilio")
    assert (message["account"], message["to"], message["from"]) == (ACCOUNT, ANN, SENDER)
    assert message["text"] == "Your code is 123 🔑"
    assert message["data"]["sid"] == sent.sid
    assert TOKEN not in str(message)
    assert base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode() not in str(message)


def test_it_answers_what_became_of_a_message(client: Client) -> None:
    sid = client.messages.create(to=ANN, from_=SENDER, body="hi").sid
    end = time.monotonic() + 30
    while (message := client.messages(sid).fetch()).status != "delivered":
        assert message.status in ("queued", "sent")
        assert time.monotonic() < end
    assert message.body == "hi"


def test_it_knows_no_message_of_another_account(sandbox: RunningSandbox, client: Client) -> None:
    sid = client.messages.create(to=ANN, from_=SENDER, body="hi").sid
    stranger = Client("AC" + "1" * 32, TOKEN, http_client=Redirected(sandbox.http_url))
    with pytest.raises(TwilioRestException) as refused:
        stranger.messages(sid).fetch()
    assert (refused.value.status, refused.value.code) == (404, 20404)


def test_it_answers_a_connection_test(client: Client) -> None:
    assert client.api.accounts(ACCOUNT).fetch().status == "active"


@pytest.mark.parametrize("header", [None, "Basic", "Basic !!!", "Basic QUM=", "Bearer QUM6dA=="])
def test_it_wants_credentials(sandbox: RunningSandbox, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    url = f"{sandbox.http_url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    answer = requests.post(url, data={"To": ANN}, headers=headers, timeout=5)
    assert answer.status_code == 401
    assert answer.json() == {
        "code": 20003,
        "message": "Authenticate",
        "more_info": "https://www.twilio.com/docs/errors/20003",
        "status": 401,
    }


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({"to": ""}, 21604),
        ({"from_": ""}, 21603),
        ({"body": ""}, 21602),
        ({"body": "x" * 1601}, 21617),
        ({"to": "5551234567"}, 21211),
        ({"to": "+15005550001"}, 21211),
        ({"to": "+15005550009"}, 21614),
        ({"status_callback": "not a url"}, 21609),
        ({"status_callback": "http://[bad"}, 21609),
    ],
)
def test_it_refuses_with_twilios_codes(
    sandbox: RunningSandbox, client: Client, over: dict[str, str], code: int
) -> None:
    error = refusal(client, **over)
    assert (error.status, error.code) == (400, code)
    assert sandbox.messages() == []


def test_its_fine_number_is_fine(sandbox: RunningSandbox, client: Client) -> None:
    client.messages.create(to="+15005550006", from_=SENDER, body="hi")
    assert len(sandbox.messages(to="+15005550006")) == 1


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ({"status": 503}, 503, 20503),
        ({"status": 500}, 500, 20500),
        ({"status": 401}, 401, 20003),
        ({"status": 429}, 429, 20429),
        ({"reject": True}, 400, 21211),
        ({"error_rate": 1}, 503, 20503),
    ],
)
def test_it_fails_as_told_and_is_well_again(
    sandbox: RunningSandbox, client: Client, fault: dict[str, Any], status: int, code: int
) -> None:
    sandbox.fault(ACCOUNT, **fault, times=2)
    for _ in range(2):
        error = refusal(client)
        assert (error.status, error.code) == (status, code)
    client.messages.create(to=ANN, from_=SENDER, body="hi")
    assert len(sandbox.messages()) == 1


@pytest.mark.parametrize(("fault", "seconds"), [({}, "1"), ({"retry_after": 30}, "30")])
def test_it_says_when_to_retry(sandbox: RunningSandbox, fault: dict[str, int], seconds: str) -> None:
    sandbox.fault("twilio", status=429, **fault)
    url = f"{sandbox.http_url}/2010-04-01/Accounts/{ACCOUNT}.json"
    answer = requests.get(url, auth=(ACCOUNT, TOKEN), timeout=5)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, seconds)


def test_it_is_slow_when_told(sandbox: RunningSandbox, client: Client) -> None:
    sandbox.fault("twilio", latency_ms=200)
    started = time.monotonic()
    client.messages.create(to=ANN, from_=SENDER, body="hi")
    assert time.monotonic() - started >= 0.2


def test_it_accepts_and_never_answers_but_sends_receipts(
    sandbox: RunningSandbox, application: Application
) -> None:
    sandbox.fault("twilio", accept_then_timeout=True)
    impatient = Client(ACCOUNT, TOKEN, http_client=Redirected(sandbox.http_url, timeout=0.3))
    with pytest.raises(requests.exceptions.ReadTimeout):
        impatient.messages.create(to=ANN, from_=SENDER, body="hi", status_callback=application.url)
    assert application.wait_for(2) == ["sent", "delivered"]
    assert len(sandbox.messages()) == 1


def test_it_signs_its_callbacks(sandbox: RunningSandbox, client: Client, application: Application) -> None:
    sid = client.messages.create(to=ANN, from_=SENDER, body="hi", status_callback=application.url).sid
    assert application.wait_for(2) == ["sent", "delivered"]
    for form, signature, url in application.received:
        assert RequestValidator(TOKEN).validate(url, form, signature)
        assert not RequestValidator("another").validate(url, form, signature)
    delivered, _, _ = application.received[1]
    assert delivered.items() >= {
        "MessageSid": sid, "SmsSid": sid, "SmsStatus": "delivered", "AccountSid": ACCOUNT,
        "From": SENDER, "To": ANN, "ApiVersion": "2010-04-01",
    }.items()  # fmt: skip
    assert len(delivered["RawDlrDoneDate"]) == 10


def test_it_reports_what_became_of_the_callbacks(
    sandbox: RunningSandbox, client: Client, application: Application
) -> None:
    client.messages.create(to=ANN, from_=SENDER, body="hi", status_callback=application.url)
    application.wait_for(2)
    end = time.monotonic() + 30
    while len(callbacks := sandbox.messages()[0]["data"]["callbacks"]) < 2:
        assert time.monotonic() < end
    assert {(each["status"], each["answer"]) for each in callbacks} == {("sent", 204), ("delivered", 204)}


def test_it_sends_failed_receipts(sandbox: RunningSandbox, client: Client, application: Application) -> None:
    sandbox.fault("twilio", receipt="failed")
    sid = client.messages.create(to=ANN, from_=SENDER, body="hi", status_callback=application.url).sid
    assert application.wait_for(2) == ["sent", "undelivered"]
    assert application.received[1][0]["ErrorCode"] == "30003"
    message = client.messages(sid).fetch()
    assert (message.status, message.error_code) == ("undelivered", 30003)


def test_it_sends_receipts_again_and_late(
    sandbox: RunningSandbox, client: Client, application: Application
) -> None:
    sandbox.fault("twilio", duplicate_receipts=2, receipt_delay_ms=300)
    started = time.monotonic()
    client.messages.create(to=ANN, from_=SENDER, body="hi", status_callback=application.url)
    assert sorted(application.wait_for(6)) == ["delivered"] * 3 + ["sent"] * 3
    assert time.monotonic() - started >= 0.3


def test_it_sends_no_receipts_when_told(
    sandbox: RunningSandbox, client: Client, application: Application
) -> None:
    sandbox.fault("twilio", receipt="none", times=1)
    silent = client.messages.create(to=ANN, from_=SENDER, body="hi", status_callback=application.url).sid
    client.messages.create(to=ANN, from_=SENDER, body="hi", status_callback=application.url)
    application.wait_for(2)
    assert silent not in {form["MessageSid"] for form, _, _ in application.received}


def test_it_tries_a_callback_again_after_a_5xx(
    sandbox: RunningSandbox, client: Client, application: Application
) -> None:
    sandbox.fault("twilio", receipt_delay_ms=0)
    application.answers = [500, 503]
    client.messages.create(to=ANN, from_=SENDER, body="hi", status_callback=application.url)
    assert sorted(application.wait_for(4)) == ["delivered"] * 2 + ["sent"] * 2


def test_it_takes_a_4xx_for_an_answer(
    sandbox: RunningSandbox, client: Client, application: Application
) -> None:
    """Had it tried the first message's again, those would have come before the second's."""
    sandbox.fault("twilio", receipt_delay_ms=0)
    application.answers = [400, 404]
    refused = client.messages.create(to=ANN, from_=SENDER, body="hi", status_callback=application.url).sid
    application.wait_for(2)
    application.answers = [500, 500]
    client.messages.create(to=ANN, from_=SENDER, body="hi", status_callback=application.url)
    application.wait_for(6)
    assert sum(form["MessageSid"] == refused for form, _, _ in application.received) == 2


def test_it_tries_a_callback_again_when_nobody_listens(
    sandbox: RunningSandbox, client: Client, start_application: Callable[[int], Application]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    url = f"http://127.0.0.1:{port}/cb"
    client.messages.create(to=ANN, from_=SENDER, body="hi", status_callback=url)
    end = time.monotonic() + 30
    while not sandbox.messages()[0]["data"]["callbacks"]:
        assert time.monotonic() < end
    assert "Connect" in sandbox.messages()[0]["data"]["callbacks"][0]["answer"]
    assert sorted(start_application(port).wait_for(2)) == ["delivered", "sent"]


def test_its_callbacks_do_not_slow_the_accept_path(sandbox: RunningSandbox, application: Application) -> None:
    """300 messages are accepted while the application holds every callback's answer back."""
    sandbox.fault("twilio", receipt_delay_ms=0)
    body = urlencode({"To": ANN, "From": SENDER, "Body": "hi", "StatusCallback": application.url})
    login = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": f"Basic {login}"}
    connection = http.client.HTTPConnection(sandbox.http_url.removeprefix("http://"), timeout=5)
    with application.news:
        for _ in range(300):
            connection.request("POST", f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json", body, headers)
            assert connection.getresponse().read()
    connection.close()
    assert len(sandbox.messages()) == 300
    application.wait_for(600)
