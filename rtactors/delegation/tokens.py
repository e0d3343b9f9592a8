"""Text within a budget of tokens, reckoned without a tokenizer: four bytes of UTF-8 are about one token."""

BYTES_PER_TOKEN = 4

_GAP = "\n... ({} bytes left out) ...\n"


def tokens(text: str) -> int:
    """About how many tokens a text has."""
    return -(-len(_bytes(text)) // BYTES_PER_TOKEN)


def head(text: str, budget: int) -> str:
    """The beginning of a text, as much of it as the budget allows; whole lines, if the first one fits."""
    if tokens(text) <= budget:
        return text
    cut = _first(_bytes(text), budget * BYTES_PER_TOKEN)
    lines, newline, _rest = cut.rpartition("\n")
    return lines if newline else cut


def head_and_tail(text: str, budget: int) -> str:
    """Beginning and end of a text that is longer than the budget, and how much is missing between them."""
    if tokens(text) <= budget:
        return text
    whole = _bytes(text)
    room = max(budget * BYTES_PER_TOKEN - len(_GAP.format(len(whole))), 0)
    first, last = _first(whole, room - room // 2), _last(whole, room // 2)
    return first + _GAP.format(len(whole) - len(_bytes(first)) - len(_bytes(last))) + last


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _first(whole: bytes, size: int) -> str:
    return whole[:size].decode("utf-8", "ignore")


def _last(whole: bytes, size: int) -> str:
    return whole[len(whole) - size :].decode("utf-8", "ignore")
