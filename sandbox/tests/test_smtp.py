import re
import smtplib
import time
from collections.abc import Iterator
from email.message import EmailMessage

import pytest

from sandbox.testing import RunningSandbox


@pytest.fixture
def client(sandbox: RunningSandbox) -> Iterator[smtplib.SMTP]:
    with smtplib.SMTP("127.0.0.1", sandbox.smtp_port, timeout=5) as client:
        yield client


def mail(to: str = "ann@example.com", subject: str = "Café ☕") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Shop <shop@example.com>", to, subject
    message.set_content("Grüße, Ann\n")
    message.add_alternative("<h1>Grüße, Ann</h1>\n", subtype="html")
    message.add_attachment(b"%PDF-1", maintype="application", subtype="pdf", filename="invoice.pdf")
    return message


def test_it_works(sandbox: RunningSandbox, client: smtplib.SMTP) -> None:
    client.login("demo-mailer", "anything")
    client.send_message(mail())
    [message] = sandbox.messages()
    assert (message["channel"], message["provider"], message["account"]) == ("email", "smtp", "demo-mailer")
    assert (message["from"], message["to"]) == ("shop@example.com", "ann@example.com")
    assert message["subject"] == "Café ☕"
    assert message["text"].strip() == "Grüße, Ann"
    assert message["html"].strip() == "<h1>Grüße, Ann</h1>"
    assert message["headers"]["From"] == "Shop <shop@example.com>"
    assert message["data"]["attachments"] == [{"name": "invoice.pdf", "type": "application/pdf", "size": 6}]
    assert message["raw"].startswith("From: Shop")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", message["received_at"])


def test_it_takes_auth_login_and_nobody_at_all(sandbox: RunningSandbox, client: smtplib.SMTP) -> None:
    client.send_message(mail())
    client.ehlo()
    client.user, client.password = "by-login", "x"
    client.auth("LOGIN", client.auth_login)
    client.send_message(mail())
    assert [message["account"] for message in sandbox.messages()] == ["by-login", "smtp"]


def test_it_keeps_one_message_a_recipient(sandbox: RunningSandbox, client: smtplib.SMTP) -> None:
    client.sendmail("shop@example.com", ["ann@example.com", "bob@example.com"], mail().as_bytes())
    assert [message["to"] for message in sandbox.messages()] == ["bob@example.com", "ann@example.com"]
    assert sandbox.messages(to="ANN@example.com")[0]["data"]["rcpt_to"] == [
        "ann@example.com",
        "bob@example.com",
    ]


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b".",
        b"..",
        b"a.\r\n.b\r\n\r\n..c.",
        b"x" * 5000,
        b"Subject: dot\r\n\r\nends with a dot.\r\n.\r\nmore",
    ],
)
def test_it_reads_mail_exactly_as_sent(sandbox: RunningSandbox, client: smtplib.SMTP, source: bytes) -> None:
    client.sendmail("shop@example.com", ["ann@example.com"], source)
    client.sendmail(
        "shop@example.com", ["ann@example.com"], b"Subject: next\r\n\r\n"
    )  # the dialogue is in step
    _, message = sandbox.messages()
    assert message["raw"].encode().rstrip(b"\r\n") == source.rstrip(b"\r\n")


@pytest.mark.parametrize(
    "source",
    [
        b"Content-Type: text/plain; charset=nonsense\r\n\r\nhello",
        b"Subject: =?nonsense?q?a?=\r\nContent-Type: multipart/mixed\r\n\r\nno boundary",
        b"\xff\xfe: \x00\r\n\r\n\xff",
        b"Content-Transfer-Encoding: base64\r\n\r\n!!!",
    ],
)
def test_it_shows_mail_that_is_broken(sandbox: RunningSandbox, client: smtplib.SMTP, source: bytes) -> None:
    client.sendmail("shop@example.com", ["ann@example.com"], source)
    assert len(sandbox.messages()) == 1


def test_it_speaks_in_the_right_order(sandbox: RunningSandbox, client: smtplib.SMTP) -> None:
    client.ehlo()
    assert client.docmd("DATA")[0] == 503
    client.mail("shop@example.com")
    client.rcpt("ann@example.com")
    assert client.docmd("DATA now")[0] == 501


def test_it_refuses_mail_over_its_size_limit(sandbox: RunningSandbox, client: smtplib.SMTP) -> None:
    client.ehlo()
    client.mail("shop@example.com")
    client.rcpt("ann@example.com")
    assert client.data(b"x\r\n" * 9_000_000)[0] == 552
    client.send_message(mail())
    assert len(sandbox.messages()) == 1


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("bounce@simulator.carillon.test", 550),
        ("Defer@Simulator.Carillon.test", 451),
        ("complaint@simulator.carillon.test", None),
        ("ok@simulator.carillon.test", None),
    ],
)
def test_it_knows_the_magic_addresses(
    sandbox: RunningSandbox, client: smtplib.SMTP, address: str, code: int | None
) -> None:
    if code is None:
        client.send_message(mail(address))
        assert len(sandbox.messages(to=address)) == 1
        return
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        client.send_message(mail(address))
    assert refused.value.recipients[address][0] == code
    assert sandbox.messages() == []


@pytest.mark.parametrize(
    ("status", "code"), [(503, 421), (500, 451), (502, 451), (429, 450), (507, 452), (403, 550), (400, 554)]
)
def test_it_puts_a_status_as_a_mail_server_would(
    sandbox: RunningSandbox, client: smtplib.SMTP, status: int, code: int
) -> None:
    sandbox.fault("smtp", status=status, retry_after=7, times=1)
    with pytest.raises(smtplib.SMTPSenderRefused) as refused:
        client.send_message(mail())
    assert refused.value.smtp_code == code
    assert b"7 seconds" in refused.value.smtp_error
    assert sandbox.messages() == []


def test_it_closes_after_a_421_and_is_well_again_after_times(sandbox: RunningSandbox) -> None:
    sandbox.fault("smtp", status=503, times=1)
    with smtplib.SMTP("127.0.0.1", sandbox.smtp_port, timeout=5) as client:
        client.ehlo()
        assert client.mail("shop@example.com")[0] == 421
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.noop()
    with smtplib.SMTP("127.0.0.1", sandbox.smtp_port, timeout=5) as client:
        client.send_message(mail())
    assert len(sandbox.messages()) == 1


def test_it_refuses_a_login_when_told_401(sandbox: RunningSandbox, client: smtplib.SMTP) -> None:
    sandbox.fault("mallory", status=401)
    with pytest.raises(smtplib.SMTPAuthenticationError):
        client.login("mallory", "x")
    client.login("ann", "x")
    client.send_message(mail())


def test_it_rejects_the_recipient_for_good(sandbox: RunningSandbox, client: smtplib.SMTP) -> None:
    sandbox.fault("mailer", reject=True)
    client.login("mailer", "x")
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        client.send_message(mail())
    assert refused.value.recipients["ann@example.com"] == (
        550,
        b"5.1.1 The email account that you tried to reach does not exist",
    )


def test_it_accepts_and_never_answers(sandbox: RunningSandbox) -> None:
    sandbox.fault("smtp", accept_then_timeout=True)
    client = smtplib.SMTP("127.0.0.1", sandbox.smtp_port, timeout=1)
    with pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):
        client.send_message(mail())
    client.close()
    assert len(sandbox.messages()) == 1


def test_it_is_slow_when_told(sandbox: RunningSandbox, client: smtplib.SMTP) -> None:
    sandbox.fault("smtp", latency_ms=200)
    started = time.monotonic()
    client.send_message(mail())
    assert time.monotonic() - started >= 0.2
    assert len(sandbox.messages()) == 1
