"""Messages that were heard, for tests of what is made of them."""

from collections.abc import Mapping, Sequence

from rtactors.alignment.words import whole_words
from rtactors.session_events import Caption, CaptionsEnded

MS_PER_CHARACTER = 60


def heard(
    text: str,
    at: float = 0.0,
    message_id: str = "m",
    *,
    cut: str | None = None,
    gaps: Mapping[int, float] | None = None,
) -> CaptionsEnded:
    """Heard from `at` on, at an even pace but for `gaps`: seconds for which playing was paused before a word.

    `cut` is the mark for that, if it was.
    """
    words: list[Caption] = []
    start = 0
    for number, word in enumerate(whole_words(text, over=True)):
        end = start + MS_PER_CHARACTER * len(word)
        at += (gaps or {}).get(number, 0.0)
        words.append(Caption(message_id, word, start, end, at + start / 1000, estimated=True))
        start = end
    return ended(words, message_id, cut=cut)


def ended(words: Sequence[Caption], message_id: str = "m", *, cut: str | None = None) -> CaptionsEnded:
    """When the last of these words was over."""
    text = "".join(word.text for word in words).rstrip() + (cut or "")
    at = words[-1].at + (words[-1].end_ms - words[-1].start_ms) / 1000 if words else 0.0
    return CaptionsEnded(message_id=message_id, words=tuple(words), text=text, interrupted=cut is not None, at=at)
