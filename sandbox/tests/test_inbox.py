import smtplib
from email.message import EmailMessage

import pytest
import requests

from sandbox.testing import RunningSandbox


def html_url(sandbox: RunningSandbox, html: str) -> str:
    message = EmailMessage()
    message["To"] = "ann@example.com"
    message.set_content(html, subtype="html")
    with smtplib.SMTP("127.0.0.1", sandbox.smtp_port, timeout=5) as client:
        client.sendmail("shop@example.com", ["ann@example.com"], message.as_bytes())
    return f"{sandbox.http_url}/api/messages/{sandbox.messages()[0]['id']}/html"


def test_it_works(sandbox: RunningSandbox) -> None:
    answer = requests.get(sandbox.http_url + "/", timeout=5)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html")
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    for file in ("inbox.js", "message.js", "faults.js", "channels.js", "dom.js", "inbox.css", "bell.svg"):
        assert requests.get(f"{sandbox.http_url}/static/{file}", timeout=5).status_code == 200


def test_it_is_healthy(sandbox: RunningSandbox) -> None:
    assert requests.get(f"{sandbox.http_url}/health", timeout=5).status_code == 200


def test_it_shuts_mail_in(sandbox: RunningSandbox) -> None:
    answer = requests.get(html_url(sandbox, "<script>alert(1)</script>"), timeout=5)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox allow-popups allow-popups-to-escape-sandbox" in policy
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("html", "start"),
    [
        ("<p>hi</p>", '<base target="_blank"><p>hi</p>'),
        ("<!doctype html><HEAD lang=en><b>", '<!doctype html><HEAD lang=en><base target="_blank"><b>'),
    ],
)
def test_links_in_mail_open_outside(sandbox: RunningSandbox, html: str, start: str) -> None:
    assert requests.get(html_url(sandbox, html), timeout=5).text.strip() == start


def test_it_has_no_html_of_a_plain_message(sandbox: RunningSandbox) -> None:
    with smtplib.SMTP("127.0.0.1", sandbox.smtp_port, timeout=5) as client:
        client.sendmail("shop@example.com", ["ann@example.com"], b"Subject: plain\r\n\r\nhi")
    url = f"{sandbox.http_url}/api/messages/{sandbox.messages()[0]['id']}/html"
    assert requests.get(url, timeout=5).status_code == 404
