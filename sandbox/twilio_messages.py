"""Messages as Twilio takes, refuses and shows them: texts, and by WhatsApp those to a `whatsapp:` number.

Messages: https://www.twilio.com/docs/messaging/api/message-resource
Templates: https://www.twilio.com/docs/content/send-templates-created-with-the-content-template-builder
Error codes: https://www.twilio.com/docs/api/errors
"""

import re
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
from aiohttp import web

from sandbox import magic
from sandbox.faults import Fault
from sandbox.http_vendor import RefusedError, json_response
from sandbox.segments import segments
from sandbox.store import Content, Message

VERSION = "2010-04-01"
WHATSAPP = "whatsapp:"
PHONE_NUMBER = re.compile(r"\+[1-9]\d{6,14}")
CONTENT_SID = re.compile(r"HX[0-9a-fA-F]{32}")
NO_VARIABLE = re.compile(r"[\n\t]| {5}|^$")  # errors/21656
MAX_BODY = 1600
ERRORS = {
    30003: "Unreachable destination handset",
    63003: "Channel could not find To address",
    63016: "Outside messaging window. For WhatsApp, use a Message Template instead",
    63024: "Invalid message recipient",
}

Form = dict[str, str]


def parse(source: str) -> Form:
    return dict(parse_qsl(source, keep_blank_values=True))


def channel_of(form: Form) -> str:
    return "whatsapp" if form["To"].startswith(WHATSAPP) else "sms"


def error(status: int, code: int, message: str, headers: Form | None = None) -> web.Response:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return json_response(
        {"code": code, "message": message, "more_info": more, "status": status}, status, headers
    )


def refused(status: int, code: int, message: str) -> RefusedError:
    return RefusedError(error(status, code, message))


def refuse_if_invalid(form: Form) -> None:
    sender = form.get("From") or form.get("MessagingServiceSid")
    said = form.get("Body") or form.get("MediaUrl") or form.get("ContentSid")
    callback = form.get("StatusCallback")
    rules = (
        (form.get("To"), 21604, "A 'To' phone number is required."),
        (sender, 21603, "A 'From' phone number is required."),
        (said, 21602, "Message body is required."),
        (len(form.get("Body", "")) <= MAX_BODY, 21617, "The message body exceeds the 1600 character limit."),
        (callback is None or is_web_address(callback), 21609, "The 'StatusCallback' is not a valid URL."),
        (are_of_one_channel(form), 21910, "'From' and 'To' are not of the same channel."),
    )
    refuse_by(rules)
    refuse_if_no_template(form)


def refuse_if_no_template(form: Form) -> None:
    sid, variables = form.get("ContentSid"), form.get("ContentVariables")
    refuse_by(
        (
            (sid or not variables, 21654, "ContentSid Required"),
            (not sid or CONTENT_SID.fullmatch(sid), 21655, "The ContentSid is Invalid"),
            (are_variables(variables), 21656, "The ContentVariables Parameter is invalid"),
        )
    )


def refuse_by(rules: tuple[tuple[object, int, str], ...]) -> None:
    for kept, code, message in rules:
        if not kept:
            raise refused(400, code, message)


def are_of_one_channel(form: Form) -> bool:
    """A messaging service chooses a sender of the right one."""
    sender = form.get("From", "")
    return not sender or sender.startswith(WHATSAPP) == form.get("To", "").startswith(WHATSAPP)


def are_variables(source: str | None) -> bool:
    if not source:
        return True
    try:
        variables = orjson.loads(source)
    except orjson.JSONDecodeError:
        return False
    values = variables.values() if isinstance(variables, dict) else [None]
    return all(isinstance(value, str) and not NO_VARIABLE.search(value) for value in values)


def is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def refuse_if_unreachable(form: Form, fault: Fault) -> None:
    """Who has no WhatsApp is found out later."""
    to = form["To"].removeprefix(WHATSAPP)
    fate = magic.phone_fate(to)
    if fate is magic.Fate.INCAPABLE and channel_of(form) == "sms":
        raise refused(400, 21614, f"'To' number is not a valid mobile number: {to}")
    if fault.reject or fate is magic.Fate.INVALID or not PHONE_NUMBER.fullmatch(to):
        raise refused(400, 21211, f"The 'To' number {to} is not a valid phone number.")


def content(source: str, headers: Form) -> Content:
    form = parse(source)
    text = form.get("Body", "")
    data: dict[str, Any] = {"parameters": form}
    if template := form.get("ContentSid"):
        variables = orjson.loads(form.get("ContentVariables") or "{}")
        data["template"] = {"name": template, "variables": variables}
        text = template_text(template, variables)
    elif channel_of(form) == "whatsapp":
        data["media"] = form.get("MediaUrl")
    else:
        data["num_segments"] = segments(text)
    return Content(raw=source, text=text, headers=headers, data=data)


def template_text(name: str, variables: Form) -> str:
    """What a ContentSid stands for only Twilio knows."""
    return "\n".join([name, *(f"{variable}: {value}" for variable, value in variables.items())])


def resource(message: Message, form: Form) -> dict[str, Any]:
    """The Message resource with every property that Twilio answers."""
    uri = f"/{VERSION}/Accounts/{message.account}/Messages/{message.state['sid']}"
    at = format_datetime(message.received_at)
    status, code = message.state["status"], message.state["error_code"]
    body = form.get("Body", "")
    return {
        "account_sid": message.account,
        "api_version": VERSION,
        "body": body,
        "date_created": at,
        "date_sent": None if status == "queued" else at,
        "date_updated": at,
        "direction": "outbound-api",
        "error_code": code,
        "error_message": ERRORS[code] if code else None,
        "from": form.get("From"),
        "messaging_service_sid": form.get("MessagingServiceSid"),
        "num_media": "1" if form.get("MediaUrl") else "0",
        "num_segments": str(segments(body)),
        "price": None,
        "price_unit": None,
        "sid": message.state["sid"],
        "status": status,
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "to": form["To"],
        "uri": f"{uri}.json",
    }
