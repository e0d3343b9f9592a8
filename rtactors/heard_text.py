"""How much of a message's text was heard, estimated from how much of its audio was."""

from unicodedata import east_asian_width

MS_PER_CHARACTER = 65
"""Ordinary speech has about 15 characters a second: what text whose audio isn't all here yet is reckoned at."""


def heard_text(text: str, heard_ms: int, generated_ms: int, *, complete: bool) -> str:
    """The beginning of `text` that was heard, in whole words.

    A model's text runs ahead of its audio. Once all audio was generated (`complete`) the text is spread over it evenly;
    before that, over the time that it would take to speak.
    """
    if complete and heard_ms >= generated_ms:
        return text
    whole_ms = generated_ms if complete else max(generated_ms, len(text) * MS_PER_CHARACTER)
    if heard_ms <= 0 or whole_ms <= 0:
        return ""
    end = min(len(text), len(text) * heard_ms // whole_ms)
    while 0 < end < len(text) and not _may_part(text[end - 1], text[end]):
        end -= 1
    return text[:end].rstrip()


def _may_part(before: str, after: str) -> bool:
    """Whether a word ends between two characters. Chinese and Japanese put no spaces between theirs."""
    return before.isspace() or after.isspace() or "W" in {east_asian_width(before), east_asian_width(after)}
