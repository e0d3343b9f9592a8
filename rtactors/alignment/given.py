"""Word times that a provider gives, and another alignment's estimate for the words that it gives none of. Pure.

A provider may time all fragments of a text, some or none, and some of the times may be wrong: those count of which the
most agree that speech goes forward. The text between two times that count keeps the proportions of the estimate, what
lies behind the last of them its pace. So a word is where its provider says, and all are in order, whatever that says.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from rtactors.alignment.base import Alignment, Word
from rtactors.alignment.lazy import LazyWords
from rtactors.events import BYTES_PER_FRAME

_LETTERS = re.compile(r"\w(?:.*\w)?", re.DOTALL)
"""What of a text is spoken: without the white space and the punctuation around it."""
_AFAR = 1 << 40
"""Ms behind all that is known, where nothing is any more."""


class GivenAlignment:
    """An alignment that takes times where there are any; `estimate` is the one that it asks for the others.

    `rate` is that of the audio, in Hz; `text`, `frames` and `audio_over` are what the estimate knows already. Without
    times its words are those of the estimate.
    """

    def __init__(
        self, estimate: Alignment, rate: int, *, text: str = "", frames: int = 0, audio_over: bool = False
    ) -> None:
        self._estimate = estimate
        self._rate = rate
        self._text: list[str] = [text]  # its pieces
        self._length = len(text)
        self._text_over = False
        self._given = _Given()
        self._size = frames * BYTES_PER_FRAME  # of audio
        self._audio_over = audio_over
        self._letters = _Letters()

    def add_text(self, text: str) -> None:
        self._text.append(text)
        self._length += len(text)
        self._estimate.add_text(text)

    def add_timed_text(self, text: str, start_ms: int, end_ms: int | None = None) -> None:
        """The next piece of its text, spoken from `start_ms` of its audio to `end_ms`, if that is told.

        It may be some words, one, or a part of one. What cannot be is ignored: times below 0, an end before its start.
        """
        letters = _LETTERS.search(text)
        if letters and start_ms >= 0:
            first, last = self._length + letters.start(), self._length + letters.end()
            self._given.add(first, last, start_ms, end_ms if end_ms and end_ms > start_ms else None)
        self.add_text(text)

    def replace_text(self, text: str) -> None:
        """Times stay with what the text so far and this one begin with in common."""
        so_far = "".join(self._text)
        if text == so_far:
            return
        pairs = enumerate(zip(text, so_far, strict=False))
        common = next((at for at, (new, old) in pairs if new != old), min(len(text), len(so_far)))
        kept, self._given = self._given, _Given()
        for fragment in kept.fragments:
            if fragment.last <= common:
                self._given.add(fragment.first, fragment.last, fragment.start_ms, fragment.end_ms)
        self._text, self._length = [text], len(text)
        self._letters = _Letters()
        self._estimate.replace_text(text)

    def end_text(self) -> None:
        self._text_over = True
        self._letters = _Letters()
        self._estimate.end_text()

    def add_audio(self, pcm: bytes) -> None:
        self._size += len(pcm)
        self._estimate.add_audio(pcm)

    def end_audio(self) -> None:
        self._audio_over = True
        self._estimate.end_audio()

    def words(self) -> Sequence[Word]:
        """Each is reckoned when it is asked for, since there may be many."""
        estimated = self._estimate.words()
        audio_ms = self._size // BYTES_PER_FRAME * 1000 // self._rate
        given = self._given.in_order(before_ms=audio_ms if self._audio_over else _AFAR)
        if not given.size:
            return estimated
        self._letters.follow(estimated)
        ends = _Knot(self._length, audio_ms, audio_ms) if self._text_over and self._audio_over else None
        fitted = _Fitted(estimated, self._letters, given, ends)
        return LazyWords(fitted.word, range(len(estimated)))


class _Fragment(NamedTuple):
    """A piece of the text that the provider timed, from its first letter to its last."""

    first: int
    """Characters of the text before it."""
    last: int
    """And up to where it ends."""
    start_ms: int
    end_ms: int | None
    before: "_Fragment | None"
    """Of all rows of fragments with later and later starts that end with this one, the longest goes on there."""


class _Row(NamedTuple):
    """The first `size` of these fragments: in the order of the text, and of their starts."""

    fragments: list[_Fragment]
    firsts: list[int]
    size: int


class _Given:
    """All timed fragments. Adding one costs the logarithm of their number (patience sorting)."""

    def __init__(self) -> None:
        self.fragments: list[_Fragment] = []
        # Of the rows with n + 1 fragments, the last fragment of the one that ends earliest, and its start.
        self._last: list[_Fragment] = []
        self._starts: list[int] = []
        self._row = _Row([], [], 0)  # that was asked for last

    def add(self, first: int, last: int, start_ms: int, end_ms: int | None) -> None:
        size = bisect_left(self._starts, start_ms)
        fragment = _Fragment(first, last, start_ms, end_ms, self._last[size - 1] if size else None)
        self.fragments.append(fragment)
        if self._starts[size : size + 1] != [start_ms]:  # of equal starts the first one counts
            self._last[size : size + 1] = [fragment]
            self._starts[size : size + 1] = [start_ms]

    def in_order(self, before_ms: int) -> _Row:
        """As many as there may be that each start later than the one before, and all before `before_ms`.

        It costs what is new of it since it was asked for last.
        """
        kept = size = bisect_left(self._starts, before_ms)
        newest = self._last[size - 1] if size else None
        fragments, firsts, known = self._row
        missing: list[_Fragment] = []
        while newest and not (kept <= known and fragments[kept - 1] is newest):
            missing.append(newest)
            newest = newest.before
            kept -= 1
        if kept < known:  # whoever has the old row keeps it
            fragments, firsts = fragments[:kept], firsts[:kept]
        fragments += reversed(missing)
        firsts += (fragment.first for fragment in reversed(missing))
        self._row = _Row(fragments, firsts, size)
        return self._row


class _Letters:
    """Where each word's letters are in the text: from the first, up to behind the last; in characters before it."""

    def __init__(self) -> None:
        self.firsts: list[int] = []
        self.lasts: list[int] = []
        self._at = 0

    def follow(self, words: Sequence[Word]) -> None:
        """Take in those that are new: whole words stay what they are."""
        for index in range(len(self.firsts), len(words)):
            text = words[index].text
            first, last = letters.span() if (letters := _LETTERS.search(text)) else (0, len(text))
            self.firsts.append(self._at + first)
            self.lasts.append(self._at + last)
            self._at += len(text)


class _Knot(NamedTuple):
    """What holds the estimate to the audio."""

    at: int
    """A place in the text: so many characters before it."""
    estimated_ms: int
    ms: int
    """Where in the audio it is."""


class _Fitted(NamedTuple):
    """The words of the estimate, moved to where the times say that they are: straight from each knot to the next.

    A fragment has one where it begins, and one where it ends, if that is told.
    """

    estimated: Sequence[Word]
    letters: _Letters
    row: _Row
    over: _Knot | None
    """Where text and audio end, once they have."""

    def word(self, number: int) -> Word:
        word, row = self.estimated[number], self.row
        first, last = self.letters.firsts[number], self.letters.lasts[number]
        begun = bisect_right(row.firsts, first, 0, row.size) - 1  # the last fragment that begins there or before
        told = begun >= 0 and first < row.fragments[begun].last
        low, high = self._knots(begun, within=told)
        start_ms = _between(low, high, first, word.start_ms)
        ended = bisect_left(row.firsts, last, 0, row.size) - 1  # the last one that begins before
        low, high = self._knots(ended, within=ended >= 0 and last <= row.fragments[ended].last)
        return Word(word.text, start_ms, _between(low, high, last, word.end_ms), estimated=not told)

    def _knots(self, index: int, *, within: bool) -> tuple[_Knot, _Knot]:
        """Those around what is within that fragment, or behind it and before the next."""
        fragments, _, size = self.row
        low, high = _Knot(0, 0, 0), self._begin(fragments[index + 1]) if index + 1 < size else self.over
        if index >= 0:
            fragment = fragments[index]
            low = self._begin(fragment)
            if fragment.end_ms is not None:
                end_ms = min(fragment.end_ms, high.ms) if high else fragment.end_ms
                end = _Knot(fragment.last, self._ends_ms(fragment.last), end_ms)
                if within:
                    return low, end
                low = end
        return low, high or _Knot(low.at, low.estimated_ms + _AFAR, low.ms + _AFAR)

    def _begin(self, fragment: _Fragment) -> _Knot:
        return _Knot(fragment.first, self._starts_ms(fragment.first), fragment.start_ms)

    def _starts_ms(self, at: int) -> int:
        """When the estimate has the first letter from there on; within a word each takes as long as the next."""
        index = bisect_right(self.letters.lasts, at, 0, len(self.estimated))
        if index < len(self.estimated):
            return self._within(index, max(at, self.letters.firsts[index]))
        return self.estimated[-1].end_ms if self.estimated else 0

    def _ends_ms(self, at: int) -> int:
        """When it has the end of the last letter before."""
        index = bisect_left(self.letters.firsts, at, 0, len(self.estimated)) - 1
        return self._within(index, min(at, self.letters.lasts[index])) if index >= 0 else 0

    def _within(self, index: int, at: int) -> int:
        word, first, last = self.estimated[index], self.letters.firsts[index], self.letters.lasts[index]
        return word.start_ms + (word.end_ms - word.start_ms) * (at - first) // (last - first)


def _between(low: _Knot, high: _Knot, at: int, estimated_ms: int) -> int:
    """Where in the audio what the estimate has there is."""
    part, whole = estimated_ms - low.estimated_ms, high.estimated_ms - low.estimated_ms
    if whole <= 0:  # the estimate can't tell them apart
        part, whole = at - low.at, high.at - low.at
    return low.ms + (high.ms - low.ms) * min(max(part, 0), whole) // whole
