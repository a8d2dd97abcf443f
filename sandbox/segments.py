"""How many SMS a text becomes: 3GPP TS 23.038 alphabet, 23.040 concatenation.

https://www.twilio.com/docs/glossary/what-sms-character-limit
"""

_BASIC = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = set("\f^{}\\[~]|€")


def segments(text: str) -> int:
    """Never less than one: an empty text (a picture, say) is still a message."""
    if all(char in _BASIC or char in _EXTENDED for char in text):
        length, single, joined = (
            len(text) + sum(char in _EXTENDED for char in text),
            160,
            153,
        )
    else:
        length, single, joined = len(text.encode("utf-16-le")) // 2, 70, 67
    return 1 if length <= single else -(-length // joined)
