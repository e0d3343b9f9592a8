"""Cues: the words of a message in pieces that can be read at a glance, broken where the speech is. Pure.

A cue has at most two lines of 42 columns and lasts at most 7 s, as broadcasters have it. Of all ways to break a message
so, the cheapest is taken: ends of sentences cost nothing, pauses little, clauses more, any other place most; so does a
cue that is gone before it is read.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from unicodedata import category, east_asian_width

from msgspec import Struct
from msgspec.structs import replace

from rtactors.punctuation import CLOSING, ENDS_CLAUSE, ENDS_SENTENCE
from rtactors.session_events import CaptionsEnded

COLUMNS = 42
"""Of a line. Broadcasters give Chinese and Korean 16 characters where others have 42."""
_WIDE = COLUMNS / 16
LONGEST_MS = 7000
_SILENCE_MS = 2000
"""No cue stands through so long a pause."""

_PAUSE_MS = 500
_SHORT_MS = 1000
_AT_SENTENCE, _AT_PAUSE, _AT_CLAUSE, _ELSEWHERE, _NOWHERE = 0.0, 1.0, 2.0, 5.0, 50.0
_RUN_ON = 2.0
"""What it costs to go on behind the end of a sentence, or a pause, in the same cue."""
_TOO_SHORT = 6.0
"""What a cue of no time at all costs."""

_INITIAL = re.compile(r"[^\W\d_]\.")
_NEVER_FIRST = tuple("!?%,.:;…»›”’)]}。、，．：；！？」』）】〉》〕ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ")  # noqa: RUF001
_NEVER_LAST = tuple("([{«‹「『（【〈《〔¿¡")  # noqa: RUF001 - as they are written
_CONTROLS = dict.fromkeys([*range(32), *range(127, 160)], " ")


class CueWord(Struct, frozen=True, gc=False):
    """A word of a cue; times are ms of the file."""

    text: str
    """Without white space around it."""
    spaced: bool
    """Whether there is some before it."""
    start_ms: int
    end_ms: int


class Cue(Struct, frozen=True, gc=False):
    """What stands on the screen from `start_ms` until `end_ms`, ms of the file."""

    number: int
    """1 for the first of the file."""
    message_id: str
    start_ms: int
    end_ms: int
    lines: tuple[tuple[CueWord, ...], ...]


class Cues:
    """The cues of one file, message after message: none begins before the last one has ended.

    `began` is where the file begins, in seconds of the session's clock; what was heard before is put there.
    """

    def __init__(self, began: float) -> None:
        self._began = began
        self._count = 0
        self._end_ms = 0

    def of(self, ended: CaptionsEnded) -> list[Cue]:
        """Of what was heard of a message, with the mark where it was cut; none if no word was heard to its end."""
        words = self._words(ended)
        cues: list[Cue] = []
        for run in _split(words):
            start_ms = max(run[0].start_ms, self._end_ms)
            self._end_ms = max(min(run[-1].end_ms, start_ms + LONGEST_MS), start_ms + 1)
            self._count += 1
            cues.append(Cue(self._count, ended.message_id, start_ms, self._end_ms, _lines(run)))
        return cues

    def _words(self, ended: CaptionsEnded) -> list[CueWord]:
        """On the file's time line. A word ends with its own audio, or when the next one begins: playing may pause."""
        texts = [caption.text for caption in ended.words]
        if texts:
            texts[-1] = texts[-1].rstrip() + _mark(ended)
        words: list[CueWord] = []
        spaced, start_ms = False, self._end_ms
        for caption, text in zip(ended.words, texts, strict=True):
            plain = text.translate(_CONTROLS)
            start_ms = max(round((caption.at - self._began) * 1000), start_ms)
            word = " ".join(plain.split())
            if word:
                end_ms = start_ms + max(caption.end_ms - caption.start_ms, 0)
                words.append(CueWord(word, spaced or plain[0].isspace(), start_ms, end_ms))
            spaced = plain[-1:].isspace() or (spaced and not word)
        in_time = (replace(word, end_ms=min(word.end_ms, after.start_ms)) for word, after in pairwise(words))
        return [*in_time, *words[-1:]]


def _mark(ended: CaptionsEnded) -> str:
    """What the history has behind the last word that was heard."""
    heard = "".join(caption.text for caption in ended.words).strip()
    text = ended.text.lstrip()
    return text.removeprefix(heard).rstrip() if ended.interrupted and text.startswith(heard) else ""


def _split(words: Sequence[CueWord]) -> Iterator[Sequence[CueWord]]:
    """In pieces, each for one cue, by the cheapest of all ways."""
    breaks = [_AT_SENTENCE, *(_break(*pair) for pair in pairwise(words)), _AT_SENTENCE]
    widths = _Widths(words)
    best = [0.0]  # of the first words, what it costs
    begins = [0]  # and where the last cue of them begins
    for end in range(1, len(words) + 1):
        choices: list[tuple[float, int]] = []
        inside = 0.0
        for start in reversed(range(end)):
            if start < end - 1:
                if not widths.fit(start, end) or _far(words[start], words[start + 1], words[end - 1]):
                    break
                inside += _RUN_ON if breaks[start + 1] <= _AT_PAUSE else 0
            duration = words[end - 1].end_ms - words[start].start_ms
            short = _TOO_SHORT * max(1 - duration / _SHORT_MS, 0)
            uneven = (widths.of(start, end) / (2 * COLUMNS)) ** 2
            choices.append((best[start] + inside + short + uneven + breaks[end], start))
        cost, begin = min(choices)
        best.append(cost)
        begins.append(begin)
    ends = [len(words)]
    while ends[-1]:
        ends.append(begins[ends[-1]])
    for end, start in reversed(list(pairwise(ends))):
        yield words[start:end]


def _lines(words: Sequence[CueWord]) -> tuple[tuple[CueWord, ...], ...]:
    """One if they fit, else two that are about as long as one another, broken at a clause if that is near."""
    widths = _Widths(words)
    if widths.of(0, len(words)) <= COLUMNS or len(words) == 1:
        return (tuple(words),)

    def cost(middle: int) -> float:
        first, second = widths.of(0, middle), widths.of(middle, len(words))
        too_long = max(first - COLUMNS, 0) + max(second - COLUMNS, 0)
        return _NOWHERE * too_long + _break(words[middle - 1], words[middle]) + abs(first - second) / 4

    middle = min(range(1, len(words)), key=cost)
    return tuple(words[:middle]), tuple(words[middle:])


def _break(before: CueWord, after: CueWord) -> float:
    """What it costs to break between two words."""
    closed = before.text.rstrip(CLOSING) or before.text
    if after.text.startswith(_NEVER_FIRST) or before.text.endswith(_NEVER_LAST):
        return _NOWHERE
    if closed.endswith(ENDS_SENTENCE) and not (after.text[0].islower() or _INITIAL.fullmatch(closed)):
        return _AT_SENTENCE
    if after.start_ms - before.end_ms >= _PAUSE_MS:
        return _AT_PAUSE
    return _AT_CLAUSE if closed.endswith(ENDS_CLAUSE) else _ELSEWHERE


def _far(word: CueWord, after: CueWord, last: CueWord) -> bool:
    """Whether the cue that began with `after` has no time for the word before it."""
    return last.end_ms - word.start_ms > LONGEST_MS or after.start_ms - word.end_ms >= _SILENCE_MS


class _Widths:
    """How wide words are on a line, and whether they fit on two."""

    def __init__(self, words: Sequence[CueWord]) -> None:
        self._words = words
        self._until = [0.0]
        for word in words:
            self._until.append(self._until[-1] + word.spaced + _width(word.text))
        self._line: list[int] = []  # by the first word of a line, the one that doesn't fit any more
        end = 0
        for start in range(len(words)):
            end = max(end, start + 1)
            while end < len(words) and self.of(start, end + 1) <= COLUMNS:
                end += 1
            self._line.append(end)
        self._line.append(len(words))

    def of(self, start: int, end: int) -> float:
        return self._until[end] - self._until[start] - self._words[start].spaced

    def fit(self, start: int, end: int) -> bool:
        return end <= self._line[self._line[start]]


def _width(text: str) -> float:
    if text.isascii():
        return len(text)
    return sum(_WIDE if east_asian_width(each) in "WF" else category(each) not in {"Mn", "Me", "Cf"} for each in text)
