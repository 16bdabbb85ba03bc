"""How many messages a phone network makes of a text (3GPP TS 23.038)."""

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")
"""These take two places of the basic alphabet."""


def segments(text: str) -> int:
    """At least 1. A text of several loses room to the header that joins them."""
    if _BASIC.issuperset(set(text) - _EXTENDED):
        sizes, single, each = [2 if c in _EXTENDED else 1 for c in text], 160, 153
    else:
        sizes, single, each = [2 if ord(c) > 0xFFFF else 1 for c in text], 70, 67
    if sum(sizes) <= single:
        return 1
    count, used = 1, 0
    for size in sizes:  # a character never straddles two messages
        if used + size > each:
            count, used = count + 1, 0
        used += size
    return count
