"""Stars in the place of a secret, wherever a text holds it: as many as it had characters, so that nothing moves."""

import re

SHORTEST = 8
"""Characters by which a secret is known, also where a text was cut within it. Shorter ones are known as whole words."""

_NO_SPACE = re.compile(r"\S")


def without(text: str, secret: str) -> str:
    """`text`, with stars for `secret`, and for its beginning."""
    if len(secret) < SHORTEST:
        return re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", lambda found: stars(found[0]), text) if secret else text
    at = text.find(secret[:SHORTEST])
    while at >= 0:
        end = at + alike(text[at : at + len(secret)], secret)
        text = text[:at] + stars(text[at:end]) + text[end:]
        at = text.find(secret[:SHORTEST], end)
    return text


def alike(one: str, other: str) -> int:
    """How many characters they begin with in common."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def stars(text: str) -> str:
    """As long, and of as many words."""
    return _NO_SPACE.sub("*", text)
