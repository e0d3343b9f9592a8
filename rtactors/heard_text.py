"""How much of a message's text was heard, estimated from how much of its audio was."""

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
    if end < len(text) and not text[end].isspace():
        end = max(text.rfind(" ", 0, end), text.rfind("\n", 0, end), 0)
    return text[:end].rstrip()
