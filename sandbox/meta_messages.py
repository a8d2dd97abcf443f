"""Messages as Meta's Cloud API takes, refuses and shows them.

https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/send-messages
https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/overview
Error codes: https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from secrets import token_urlsafe
from typing import Any
from urllib.parse import urlsplit

import orjson
from aiohttp import web

from sandbox import magic
from sandbox.faults import Fault
from sandbox.http_vendor import RefusedError, json_response
from sandbox.store import Content

PHONE_NUMBER = re.compile(r"\+?[1-9]\d{6,14}")
MEDIA = ("image", "document", "video")
KINDS = ("text", "template", "interactive", *MEDIA)
MAX_TEXT, MAX_CAPTION, MAX_BUTTON, MAX_CALLBACK_DATA = 4096, 1024, 20, 512
NO_PARAMETER = re.compile(r"[\n\t]| {5}")
TITLES = {
    2: "Service temporarily unavailable",
    10: "Permission denied",
    100: "Invalid parameter",
    190: "Invalid OAuth access token",
    130429: "Rate limit hit",
    131000: "Something went wrong",
    131008: "Required parameter is missing",
    131009: "Parameter value is not valid",
    131026: "Message undeliverable",
    131047: "Re-engagement message",
    132001: "Template name does not exist in the translation",
    132018: "There's an issue with the parameters in your template",
}

Document = dict[str, Any]
Rule = tuple[object, int, str]
"""What has to hold, and the code and the details of the error where it does not."""


def error(status: int, code: int, details: str = "", headers: dict[str, str] | None = None) -> web.Response:
    about = {"messaging_product": "whatsapp", "details": details or TITLES[code]}
    told = {"message": f"(#{code}) {TITLES[code]}", "type": "OAuthException", "code": code}
    trace = {"error_data": about, "fbtrace_id": f"A{token_urlsafe(16)}"}
    return json_response({"error": {**told, **trace}}, status, headers)


def refuse_by(rules: Iterable[Rule]) -> None:
    for kept, code, details in rules:
        if not kept:
            raise RefusedError(error(400, code, details))


def parse(source: str) -> Document:
    try:
        document = orjson.loads(source)
    except orjson.JSONDecodeError:
        document = None
    refuse_by([(isinstance(document, dict), 100, "The body is no JSON object")])
    found: Document = document
    return found


def refuse_if_invalid(document: Document, fault: Fault) -> None:
    kind, to = document.get("type", "text"), str(document.get("to", ""))
    number, reference = f"+{to.removeprefix('+')}", document.get("biz_opaque_callback_data") or ""
    refuse_by(
        (
            (document.get("messaging_product") == "whatsapp", 100, "messaging_product is required"),
            (to, 100, "The parameter to is required"),
            (kind in KINDS, 100, f"Param type must be one of {{{', '.join(KINDS)}}}"),
            (isinstance(document.get(kind), dict), 131008, f"{kind} is required"),
            (len(reference) <= MAX_CALLBACK_DATA, 100, "biz_opaque_callback_data is too long"),
            (PHONE_NUMBER.fullmatch(to), 131009, "to is no phone number"),
            (magic.phone_fate(number) is not magic.Fate.INVALID, 131009, "to is no phone number"),
            (not fault.reject, 131026, ""),
        )
    )
    refuse_by(_of_kind(kind, document[kind]))


def _of_kind(kind: str, said: Document) -> Iterable[Rule]:
    match kind:
        case "text":
            return [_text(said.get("body"), MAX_TEXT, "text.body")]
        case "template":
            return _of_template(said)
        case "interactive":
            return _of_button(said)
        case _:
            return _of_file(said)


def _of_file(said: Document) -> Iterable[Rule]:
    link = urlsplit(str(said.get("link", "")))
    yield link.scheme in {"http", "https"} and link.hostname, 100, "link is not a valid URI"
    yield len(said.get("caption") or "") <= MAX_CAPTION, 100, "caption is too long"


def _of_button(said: Document) -> Iterable[Rule]:
    action = said.get("action") or {}
    leads = action.get("parameters") or {}
    yield said.get("type") == "cta_url" == action.get("name"), 131009, "interactive.type"
    yield _text((said.get("body") or {}).get("text"), MAX_CAPTION, "interactive.body.text")
    yield _text(leads.get("display_text"), MAX_BUTTON, "display_text")
    yield str(leads.get("url", "")).startswith(("http://", "https://")), 131009, "url"
    if header := said.get("header"):
        yield from _of_file(header.get(header.get("type")) or {})


def _of_template(said: Document) -> Iterable[Rule]:
    yield said.get("name"), 131008, "template.name is required"
    yield (said.get("language") or {}).get("code"), 131008, "template.language.code is required"
    for _, parameter in parameters(said):
        if parameter.get("type") == "text":
            yield parameter.get("text"), 131008, "Parameter of type text is missing text value"
            yield not NO_PARAMETER.search(str(parameter["text"])), 132018, "Param text cannot have new-lines"


def _text(text: Any, longest: int, name: str) -> Rule:
    return isinstance(text, str) and 0 < len(text) <= longest, 100, f"{name} must have 1 to {longest} letters"


def parameters(template: Document) -> Iterator[tuple[str, Document]]:
    """Each with what it is called: those of the body by number or name, others by their part's name too."""
    for component in template.get("components") or ():
        part = " ".join(str(component[key]) for key in ("type", "index") if key in component)
        for number, parameter in enumerate(component.get("parameters") or (), start=1):
            name = str(parameter.get("parameter_name") or number)
            yield (name if part.lower() == "body" else f"{part} {name}"), parameter


def content(source: str, headers: dict[str, str]) -> Content:
    document = orjson.loads(source)
    said = document[document.get("type", "text")]
    file = said if "link" in said else _header(said)
    data = {**document, "media": file.get("link"), "filename": file.get("filename")}
    return Content(raw=source, text=_words(said), headers=headers, data=data)


def _header(said: Document) -> Document:
    header = said.get("header") or {}
    file: Document = header.get(header.get("type")) or {}
    return file


def _words(said: Document) -> str:
    """What a template's name stands for only Meta knows."""
    if "language" in said:
        values = (f"{name}: {_value(parameter)}" for name, parameter in parameters(said))
        return "\n".join([f"{said['name']} ({said['language']['code']})", *values])
    body = said.get("body") or said.get("caption") or ""
    return str(body["text"] if isinstance(body, Mapping) else body)


def _value(parameter: Document) -> str:
    held = parameter.get(parameter.get("type", "text"))
    if isinstance(held, Mapping):
        held = held.get("fallback_value") or held.get("link") or held.get("id")
    return str(held or "")
