"""Word times that a provider gives, and another alignment's estimate for the words that it gives none of. Pure.

A provider may time all fragments of a text, some or none, and some of the times may be wrong: those count of which the
most agree that speech goes forward. The text between two times that count keeps the proportions of the estimate, what
lies behind the last of them its pace. So a word is where its provider says, and all are in order, whatever that says.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from rtactors.alignment.base import Alignment, Word
from rtactors.events import BYTES_PER_FRAME

_AFAR = 1 << 40
"""Ms behind all that is known, where nothing is any more."""


class GivenAlignment:
    """An alignment that takes times where there are any; `estimate` is the one that it asks for the others.

    `rate` is that of the audio, in Hz; `text` and `frames` of audio the estimate has already. Without times its words
    are those of the estimate.
    """

    def __init__(self, estimate: Alignment, rate: int, *, text: str = "", frames: int = 0) -> None:
        self._estimate = estimate
        self._rate = rate
        self._text: list[str] = [text]  # its pieces
        self._length = len(text)
        self._text_over = False
        self._given = _Given()
        self._size = frames * BYTES_PER_FRAME  # of audio
        self._audio_over = False
        # What was answered last, and the estimate that it was made of; None if times have changed since.
        self._answer: tuple[Sequence[Word], Sequence[Word]] | None = None

    def add_text(self, text: str) -> None:
        self._text.append(text)
        self._length += len(text)
        self._estimate.add_text(text)

    def add_timed_text(self, text: str, start_ms: int, end_ms: int | None = None) -> None:
        """The next piece of its text, spoken from `start_ms` of its audio to `end_ms`, if that is told.

        It may be some words, one, or a part of one. What cannot be is ignored: times below 0, an end before its start.
        """
        first = self._length + len(text) - len(text.lstrip())
        last = self._length + len(text.rstrip())
        self.add_text(text)
        if first < last and start_ms >= 0:
            self._answer = None
            self._given.add(first, last, start_ms, end_ms)

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
        self._answer = None
        self._estimate.replace_text(text)

    def end_text(self) -> None:
        self._text_over = True
        self._answer = None
        self._estimate.end_text()

    def add_audio(self, pcm: bytes) -> None:
        self._size += len(pcm)
        self._estimate.add_audio(pcm)

    def end_audio(self) -> None:
        self._audio_over = True
        self._answer = None
        self._estimate.end_audio()

    def words(self) -> Sequence[Word]:
        estimated = self._estimate.words()
        if self._answer is None or estimated != self._answer[0]:
            self._answer = [*estimated], self._fitted(estimated)
        return self._answer[1]

    def _fitted(self, estimated: Sequence[Word]) -> Sequence[Word]:
        """The words of the estimate, where the times say that they are."""
        given = self._given.in_order(before_ms=self._ends_ms)
        if not given:
            return estimated
        letters = _Letters(estimated)
        there = _Map(self._knots(given, letters))
        firsts = [fragment.first for fragment in given]
        words: list[Word] = []
        for word, first, last in zip(estimated, letters.firsts, letters.lasts, strict=True):
            fragment = given[max(bisect_right(firsts, first) - 1, 0)]
            told = fragment.first <= first < fragment.last
            start, end = there.start(first, word.start_ms), there.end(last, word.end_ms)
            words.append(Word(word.text, start, end, estimated=not told))
        return words

    @property
    def _ends_ms(self) -> int:
        """Where all words have ended, as far as it is known."""
        return self._size // BYTES_PER_FRAME * 1000 // self._rate if self._audio_over else _AFAR

    def _knots(self, given: list["_Fragment"], letters: "_Letters") -> Iterator["_Knot"]:
        """What holds the text to the audio, in the order of both."""
        yield (knot := _Knot(0, 0, 0))
        starts = [*(fragment.start_ms for fragment in given[1:]), self._ends_ms]
        for fragment, next_start_ms in zip(given, starts, strict=True):
            yield (knot := _Knot(fragment.first, letters.start(fragment.first), fragment.start_ms))
            if fragment.end_ms is not None and fragment.end_ms > fragment.start_ms:
                end_ms = min(fragment.end_ms, next_start_ms)
                yield (knot := _Knot(fragment.last, letters.end(fragment.last), end_ms))
        if self._text_over and self._audio_over:
            yield _Knot(self._length, self._ends_ms, self._ends_ms)
        else:
            yield _Knot(self._length, knot.estimated_ms + _AFAR, knot.ms + _AFAR)


class _Fragment(NamedTuple):
    """A piece of the text, without the white space around it, that the provider timed."""

    first: int
    """Where in the text it begins: characters before it."""
    last: int
    """And up to it ends."""
    start_ms: int
    end_ms: int | None
    before: "_Fragment | None"
    """Of all rows of fragments with later and later starts that end with this one, the longest goes on there."""


class _Given:
    """All timed fragments. Adding one costs the logarithm of their number (patience sorting)."""

    def __init__(self) -> None:
        self.fragments: list[_Fragment] = []
        # Of the rows with n + 1 fragments, the last fragment of the one that ends earliest, and its start.
        self._last: list[_Fragment] = []
        self._starts: list[int] = []

    def add(self, first: int, last: int, start_ms: int, end_ms: int | None) -> None:
        size = bisect_left(self._starts, start_ms)
        fragment = _Fragment(first, last, start_ms, end_ms, self._last[size - 1] if size else None)
        self.fragments.append(fragment)
        if self._starts[size : size + 1] != [start_ms]:  # of equal starts the first one counts
            self._last[size : size + 1] = [fragment]
            self._starts[size : size + 1] = [start_ms]

    def in_order(self, before_ms: int) -> list[_Fragment]:
        """As many as there may be that each start later than the one before, and all before `before_ms`."""
        row: list[_Fragment] = []
        size = bisect_left(self._starts, before_ms)
        fragment = self._last[size - 1] if size else None
        while fragment:
            row.append(fragment)
            fragment = fragment.before
        return row[::-1]


class _Letters:
    """Where the estimate has each character: within a word, each takes as long as the next."""

    def __init__(self, words: Sequence[Word]) -> None:
        self._words = words
        self.firsts: list[int] = []
        """Where each word begins in the text, without the white space before it."""
        self.lasts: list[int] = []
        at = 0
        for word in words:
            text = word.text.strip() or word.text
            self.firsts.append(at + word.text.index(text))
            self.lasts.append(self.firsts[-1] + len(text))
            at += len(word.text)

    def start(self, at: int) -> int:
        """When the first letter from there on begins, in ms."""
        index = bisect_right(self.lasts, at)
        if index < len(self._words):
            return self._within(index, max(at, self.firsts[index]))
        return self._words[-1].end_ms if self._words else 0

    def end(self, at: int) -> int:
        """When the last letter before has ended, in ms."""
        index = bisect_left(self.firsts, at) - 1
        return self._within(index, min(at, self.lasts[index])) if index >= 0 else 0

    def _within(self, index: int, at: int) -> int:
        word, first, last = self._words[index], self.firsts[index], self.lasts[index]
        return word.start_ms + (word.end_ms - word.start_ms) * (at - first) // (last - first)


class _Knot(NamedTuple):
    at: int
    """A place in the text: so many characters before it."""
    estimated_ms: int
    ms: int
    """Where in the audio it is."""


class _Map:
    """From the estimate to where words are: straight from each knot to the next. Two of them may be at one place, the
    end of what is before it and the start of what is behind.
    """

    def __init__(self, knots: Iterator[_Knot]) -> None:
        self._stretches = [*pairwise(knots)]
        self._from = [knot.at for knot, _ in self._stretches]
        self._to = [knot.at for _, knot in self._stretches]

    def start(self, at: int, estimated_ms: int) -> int:
        """Of a word that begins there."""
        return self._on(bisect_right(self._from, at) - 1, at, estimated_ms)

    def end(self, at: int, estimated_ms: int) -> int:
        """Of a word that ends there."""
        return self._on(bisect_left(self._to, at), at, estimated_ms)

    def _on(self, index: int, at: int, estimated_ms: int) -> int:
        low, high = self._stretches[index]
        part, whole = estimated_ms - low.estimated_ms, high.estimated_ms - low.estimated_ms
        if whole <= 0:  # the estimate can't tell them apart
            part, whole = at - low.at, high.at - low.at
        return low.ms + (high.ms - low.ms) * min(max(part, 0), whole) // whole
