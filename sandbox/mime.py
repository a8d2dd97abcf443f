"""From the source of an email to what its reader sees."""

from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from typing import Any

from sandbox.store import Content


def parse(source: bytes, envelope: dict[str, Any]) -> Content:
    """Never raises: what cannot be understood is shown as it came, with the reason in `data`."""
    raw = source.decode("utf-8", "replace")
    try:
        return _understood(source, raw, envelope)
    except Exception as error:
        return Content(raw=raw, text=raw, data={**envelope, "unreadable": f"{type(error).__name__}: {error}"})


def _understood(source: bytes, raw: str, envelope: dict[str, Any]) -> Content:
    message = message_from_bytes(source)
    bodies: dict[str, str] = {}
    attachments = []
    for part in message.walk():
        if part.is_multipart():
            continue
        kind = part.get_content_type()
        if kind in ("text/plain", "text/html") and kind not in bodies and not part.get_filename():
            bodies[kind] = _text(part)
        else:
            attachments.append({"name": part.get_filename(), "type": kind, "size": len(_bytes(part))})
    headers = _headers(message)
    return Content(
        raw=raw,
        subject=next((value for name, value in headers.items() if name.lower() == "subject"), None),
        text=bodies.get("text/plain"),
        html=bodies.get("text/html"),
        headers=headers,
        data={**envelope, "attachments": attachments},
    )


def _headers(message: Message) -> dict[str, str]:
    """A header that comes several times has its values on lines of their own."""
    headers: dict[str, str] = {}
    for name, value in message.items():
        decoded = _decoded(str(value))
        headers[name] = f"{headers[name]}\n{decoded}" if name in headers else decoded
    return headers


def _decoded(value: str) -> str:
    """RFC 2047: `=?utf-8?q?Caf=C3=A9?=` is Café."""
    unfolded = " ".join(line.strip() for line in value.splitlines())
    try:
        return str(make_header(decode_header(unfolded)))
    except (MessageError, LookupError, ValueError):
        return unfolded


def _text(part: Message) -> str:
    try:
        return _bytes(part).decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:  # a charset nobody knows
        return _bytes(part).decode("utf-8", "replace")


def _bytes(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""
