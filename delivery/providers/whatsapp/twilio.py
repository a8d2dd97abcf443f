"""WhatsApp by Twilio's Messages API: https://www.twilio.com/docs/whatsapp/api

Templates: https://www.twilio.com/docs/content/send-templates-created-with-the-content-template-builder
Their variables: https://www.twilio.com/docs/content/using-variables-with-content-api
Media: https://www.twilio.com/docs/whatsapp/guidance-whatsapp-media-messages
When words of one's own may be sent: https://www.twilio.com/docs/whatsapp/key-concepts

What is not said here is said of all of Twilio's channels, in `delivery.providers.twilio`.

Twilio knows a template by its ContentSid, which stands for one name, one language and all its parts. The
override's `name` is that SID, and `language` says nothing more; or it is the name that Meta knows it by, and
the account's settings say which SID that is. All parts share one row of variables, where Meta counts each
part's anew: `parameters` are 1, 2, 3 …, those in `components` go on counting from there in the order in which
they stand, and one with a `parameter_name` goes by that name.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import orjson
from pydantic import Field

from delivery.providers.base import ErrorKind, Message, ProviderError
from delivery.providers.twilio.messages import TwilioMessages
from delivery.providers.windows import refuse_if_closed

_CONTENT_SID = r"^HX[0-9a-fA-F]{32}$"
_TEXTS = {
    "text": "",
    "payload": "",
    "currency": "fallback_value",
    "date_time": "fallback_value",
    "image": "link",
    "video": "link",
    "document": "link",
}
"""Meta's kinds of parameters that are a text, or hold one that does for a variable of Twilio's.

https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/overview
"""


class TwilioWhatsApp(TwilioMessages):
    name = "twilio"
    channel = "whatsapp"
    label = "Twilio WhatsApp"
    prefix = "whatsapp:"

    class Settings(TwilioMessages.Settings):
        sender: str = Field(
            title="From",
            description="The number of a WhatsApp sender in E.164, or the SID (MG…) of a messaging service"
            " that has one.",
            pattern=r"^(\+[1-9]\d{5,14}|MG[0-9a-fA-F]{32})$",
        )
        content_sids: dict[str, Annotated[str, Field(pattern=_CONTENT_SID)]] = Field(
            {},
            title="Templates",
            description="The ContentSid of each template that notifications name as Meta does, by its name or"
            ' by name and language: {"order_shipped": "HX…", "order_shipped/de": "HX…"}.',
        )

    def content(self, message: Message) -> dict[str, str]:
        """A template, which takes the place of words and media (errors/63016); else they, if they may go."""
        if template := message.overrides.get("template"):
            return _template(template, self._content_sid(template, message.locale))
        refuse_if_closed(message, dt.datetime.now(dt.UTC))
        return _freely(message.content.body, message.overrides.get("media"))

    def _content_sid(self, template: Mapping[str, Any], locale: str) -> str:
        name, known = template["name"], self.settings.content_sids
        language = template.get("language") or locale.replace("-", "_")
        if sid := known.get(f"{name}/{language}") or known.get(name):
            return str(sid)
        if not re.match(_CONTENT_SID, name):
            raise _unsuited("the account has no ContentSid (HX…) for it", "not_a_content_sid")
        return str(name)


def _freely(body: str, media: Mapping[str, Any] | None) -> dict[str, str]:
    """Twilio has no place for a file's name."""
    if media is None:
        return {"Body": body}
    words = media.get("caption") or body
    return {"MediaUrl": media["url"]} | ({"Body": words} if words else {})


def _template(template: Mapping[str, Any], sid: str) -> dict[str, str]:
    variables = _variables(template)
    return {
        "ContentSid": sid,
        **({"ContentVariables": orjson.dumps(variables).decode()} if variables else {}),
    }


def _variables(template: Mapping[str, Any]) -> dict[str, str]:
    given = [("", value) for value in template.get("parameters", ())]
    given += map(_variable, _parameters(template.get("components") or ()))
    numbers = itertools.count(1)
    return {name or str(next(numbers)): value for name, value in given}


def _parameters(components: Sequence[Mapping[str, Any]]) -> Iterator[Any]:
    for component in components:
        parameters = component.get("parameters") or ()
        yield from parameters if isinstance(parameters, Sequence) else (parameters,)


def _variable(parameter: Any) -> tuple[str, str]:
    """A name, if it has one, and the value: `{"type": "image", "image": {"link": "https://…"}}`"""
    match parameter:
        case {"type": str(kind)} if kind in _TEXTS:
            held = parameter.get(kind)
            value = held.get(_TEXTS[kind]) if isinstance(held, Mapping) else held
            if isinstance(value, str):
                return str(parameter.get("parameter_name") or ""), value
    raise _unsuited("it has a parameter that is no text", "not_a_variable")


def _unsuited(why: str, code: str) -> ProviderError:
    """Another account may take it, Meta's own say; this one does well with others."""
    words = f"the template is not for Twilio: {why}"
    return ProviderError(ErrorKind.ACCOUNT, words, code=code, spares_health=True)
