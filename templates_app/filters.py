"""What templates may write values with, as the recipient's language and time zone have it (CLDR, by Babel).

They run in the engine's child. Babel and nh3 are loaded by the first template that asks for them, and of
Babel's 700 locales those that are spoken.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from html import unescape
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast
from zoneinfo import ZoneInfo

from minijinja import pass_state, safe

from templates_app.values import FilterError, moment, number

if TYPE_CHECKING:
    from babel import Locale

_STYLES = ("short", "medium", "long", "full")
_LISTS: Mapping[str, Literal["standard", "or", "unit"]] = {"and": "standard", "or": "or", "plain": "unit"}
_FORMS = ("zero", "one", "two", "few", "many", "other")
_SPACES = {0xA0: " ", 0x202F: " "}
_LOCALES = 24  # kept in memory, about a megabyte each


class State(Protocol):
    """MiniJinja's, of which this is what we ask."""

    @property
    def auto_escape(self) -> str | None: ...


class Voice:
    """Whose language and time zone is written in; set for each message."""

    def __init__(self) -> None:
        self.locale = "en"
        self.timezone = "UTC"

    def filters(self) -> dict[str, Callable[..., Any]]:
        own = ("date", "time", "datetime", "relative", "money", "number", "percent", "plural", "sentence")
        written = {name: _told(name, getattr(self, name)) for name in own}
        return {**written, "sanitize": sanitize, "safe": sanitize}

    def date(self, value: Any, style: str = "medium") -> str:
        """`style`: short, medium, long, full, or a pattern such as `EEEE, d. MMMM` (UTS 35)."""
        from babel.dates import format_date, format_datetime  # noqa: PLC0415 - see above

        at = moment(value)
        if not isinstance(at, dt.datetime):
            return str(format_date(at, style, locale=self._language))
        if style in _STYLES:
            return str(format_date(self._here(at), style, locale=self._language))
        return str(format_datetime(self._here(at), style, locale=self._language))

    def time(self, value: Any, style: str = "short") -> str:
        from babel.dates import format_time  # noqa: PLC0415 - see above

        return str(format_time(self._clock(value), style, locale=self._language))

    def datetime(self, value: Any, style: str = "medium") -> str:
        from babel.dates import format_datetime  # noqa: PLC0415 - see above

        return str(format_datetime(self._clock(value), style, locale=self._language))

    def relative(self, value: Any) -> str:
        """How long ago or ahead, e.g. `in 3 hours`, when the message is written."""
        from babel.dates import format_timedelta  # noqa: PLC0415 - see above

        difference = self._clock(value) - dt.datetime.now(self._zone)
        return str(format_timedelta(difference, add_direction=True, locale=self._language))

    def money(self, value: Any, currency: str | None = None) -> str:
        """`currency` by ISO 4217; it may come with the value: `{"amount": 12.5, "currency": "EUR"}`."""
        from babel.numbers import format_currency  # noqa: PLC0415 - see above

        amount = value
        if isinstance(value, Mapping):
            amount, currency = value.get("amount"), currency or value.get("currency")
        if not isinstance(currency, str) or len(currency) != 3:
            raise FilterError("it needs a currency such as EUR.")
        return str(format_currency(number(amount), currency.upper(), locale=self._language))

    def number(self, value: Any, decimals: int | None = None) -> str:
        from babel.numbers import format_decimal  # noqa: PLC0415 - see above

        return str(format_decimal(number(value), _pattern("#,##0", decimals), locale=self._language))

    def percent(self, value: Any, decimals: int | None = None) -> str:
        """Of a share: 0.25 is 25 %."""
        from babel.numbers import format_percent  # noqa: PLC0415 - see above

        own = self._language.percent_formats[None].pattern
        pattern = own if decimals is None else own.replace("0", _pattern("0", decimals) or "0", 1)
        return str(format_percent(number(value), pattern, locale=self._language))

    def plural(self, value: Any, *forms: str, **named: str) -> str:
        """The form for a count, `#` in it being the number.

        Forms are named as CLDR names them, or come in the order of those that the language has:
        `plural("# item", "# items")`. One named `zero` is said of 0 in every language.
        """
        count = number(value)
        wanted = str(self._language.plural_form(count))
        named = {**self._in_order(forms), **named}
        if count == 0 and "zero" in named:
            wanted = "zero"
        chosen = named.get(wanted, named.get("other"))
        if chosen is None:
            raise FilterError(f'there is no form for "{wanted}", nor "other".')
        return str(chosen).replace("#", self.number(value))

    def sentence(self, value: Any, style: str = "and") -> str:
        """A list as it is read: `Ann, Bo and Cy`. `style`: and, or, plain."""
        from babel.lists import format_list  # noqa: PLC0415 - see above

        if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
            raise FilterError("it needs a list.")
        if style not in _LISTS:
            raise FilterError(f"it knows {', '.join(_LISTS)}, not {style}.")
        return str(format_list([str(item) for item in value], _LISTS[style], locale=self._language))

    def _in_order(self, forms: Sequence[str]) -> dict[str, str]:
        has = [name for name in _FORMS if name in {*self._language.plural_form.tags, "other"}]
        if len(forms) > len(has):
            raise FilterError(f"in {self.locale} there are but {', '.join(has)}.")
        named = dict(zip(has, forms, strict=False))
        return {**named, "other": forms[-1]} if forms else {}

    @property
    def _language(self) -> Locale:
        return _language(self.locale)

    @property
    def _zone(self) -> dt.tzinfo:
        return _zone(self.timezone)

    def _clock(self, value: Any) -> dt.datetime:
        at = moment(value)
        if not isinstance(at, dt.datetime):
            at = dt.datetime.combine(at, dt.time())
        return self._here(at)

    def _here(self, at: dt.datetime) -> dt.datetime:
        """Without an offset it is a time as people there read it (RFC 3339, section 4.4): it is not moved."""
        return at.replace(tzinfo=self._zone) if at.tzinfo is None else at.astimezone(self._zone)


@pass_state
def sanitize(state: State, value: Any) -> str:
    """HTML out of the data, less what could do harm; in a part that is no HTML, its text.

    What is allowed is Ammonia's choice: https://docs.rs/ammonia/latest/ammonia/struct.Builder.html
    """
    import nh3  # noqa: PLC0415 - see above

    if value is None:
        raise FilterError("sanitize has nothing to write.", "missing_variable")
    if state.auto_escape == "html":
        return safe(nh3.clean(str(value)))
    return unescape(nh3.clean(str(value), tags=set()))


def _pattern(whole: str, decimals: int | None) -> str | None:
    """`decimals` None leaves it to the locale."""
    if decimals is None:
        return None
    if not 0 <= decimals <= 20:
        raise FilterError("decimals are 0 to 20.")
    return f"{whole}.{'0' * decimals}" if decimals else whole


@lru_cache(maxsize=_LOCALES)
def _language(tag: str) -> Locale:
    """The nearest that CLDR has: `de-AT-x-shop` is `de-AT`; English where there is none."""
    from babel import Locale, UnknownLocaleError, localedata  # noqa: PLC0415 - see above

    if _language.cache_info().currsize >= _LOCALES:
        localedata._cache.clear()  # noqa: SLF001 - it has no end of its own
    while tag:
        try:
            return Locale.parse(tag, sep="-")
        except (UnknownLocaleError, ValueError):
            tag = tag.rpartition("-")[0]
    return Locale("en")


@lru_cache(maxsize=_LOCALES)
def _zone(name: str) -> dt.tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, or no name at all
        return dt.UTC


def _told(name: str, method: Callable[..., str]) -> Callable[..., str]:
    """The filter, with errors in the author's words."""

    def told(state: State, value: Any, *args: Any, **named: Any) -> str:
        if value is None:
            raise FilterError(f"{name} has no value to write.", "missing_variable")
        try:
            text = method(value, *args, **named)
        except FilterError as error:
            raise FilterError(f"{name}: {error.message}") from None
        except (ValueError, TypeError, KeyError, OverflowError, AttributeError) as error:
            raise FilterError(f"{name} cannot be used so: {error}.") from None
        # CLDR parts `11:30 PM` by a space that would double the price of a text message.
        return text if state.auto_escape == "html" else text.translate(_SPACES)

    return cast("Callable[..., str]", pass_state(told))
