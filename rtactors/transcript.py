"""One message's text against its audio: which words begin, and which have ended, at a position of the sink's. Pure.

A message is one stretch of text and audio, or several (`rtactors.content`): one for each content part, and for each
sentence that a voice of ours speaks. They are heard one after the other, in the order of their places, and an alignment
each says where their words are. Alignments change their minds as more arrives; what was told does not change: a word
that has begun keeps its times, and the next one follows behind it. Only whether the last one has ended is judged by
what is known by then.
"""

from bisect import insort
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from msgspec.structs import replace

from rtactors.alignment.base import Aligner, Alignment, Word, as_word, as_words
from rtactors.alignment.given import GivenAlignment
from rtactors.content import Place
from rtactors.events import BYTES_PER_FRAME

Times: TypeAlias = tuple[int, int | None]
"""A start and, if it is known, an end, in ms."""


class _Stretch:
    """Times are ms of its own audio."""

    def __init__(self, place: Place, alignment: Alignment, rate: int) -> None:
        self.place = place
        self.text = ""
        self.shown = False  # no sound goes with it
        self.frames = 0
        self.over = False  # there is no more audio, and the text ends where it does
        self._alignment = alignment
        self._given: GivenAlignment | None = None  # once the provider has given times
        self._rate = rate
        self._words: Sequence[Word] = ()
        self._told: list[Word] = []
        self._end_ms = 0  # of the last of them, as it is thought to be by now
        self._position_ms = 0  # up to which they were told
        self._due_ms = 0  # before that none begins
        self._stale = False  # more has arrived, or a word was told, since the alignment was asked
        self._text_over = False

    def add_text(self, text: str, times: Times | None) -> None:
        if times is None:
            self._alignment.add_text(text)
        else:
            if self._given is None:
                self._given = GivenAlignment(
                    self._alignment, self._rate, text=self.text, frames=self.frames, audio_over=self.over
                )
                self._alignment = self._given
            self._given.add_timed_text(text, *times)
        self.text += text
        self._stale = True

    def replace_text(self, text: str) -> None:
        self._alignment.replace_text(text)
        self.text = text
        self._words, self._stale, self._due_ms = (), True, 0  # what was told has new words

    def end_text(self) -> None:
        if not self._text_over:
            self._text_over = self._stale = True
            self._alignment.end_text()

    def add_audio(self, pcm: bytes) -> None:
        self.frames += len(pcm) // BYTES_PER_FRAME
        self._alignment.add_audio(pcm)
        self._stale = True

    def end_audio(self) -> None:
        if not self.over:
            self.over = self._stale = True
            self._alignment.end_audio()

    def begin(self, ms: int, *, whole: bool) -> list[Word]:
        """Tell the words that have begun by then; all of them, if it was heard as a `whole`.

        The alignment is asked again once the next word is due, if it can have changed its mind since.
        """
        if ms < self._due_ms and not whole:
            self._position_ms = ms
            return []
        count = len(self._told)
        if self._stale:
            self._words, self._stale = as_words(self._alignment.words()), False
            if 0 < count <= len(self._words) and self._end_ms > self._position_ms:  # else it counted as heard already
                self._end_ms = as_word(self._words[count - 1]).end_ms
        self._position_ms = ms
        self._due_ms = self._told[-1].end_ms if self._told else 0
        for word in map(as_word, self._words[count:]):
            start = max(word.start_ms, self._due_ms)
            if start > ms and not whole:
                self._due_ms = start
                break
            start = min(start, ms)  # what was told before may have been thought to be longer than all the audio
            self._end_ms = self._due_ms = max(word.end_ms, start)
            self._told.append(replace(word, start_ms=start, end_ms=self._end_ms))
            self._stale = True  # an aligner that asked a thread may know better by the next one
        return self._told[count:]

    def heard(self, ms: int, *, whole: bool) -> list[Word]:
        """Those of the words told that have ended by then: as the text has them now, which may have been corrected."""
        count = len(self._told)
        if count and not whole and self._end_ms > ms:
            count -= 1
        return [replace(told, text=word.text) for told, word in zip(self._told[:count], self._words, strict=False)]


class Transcript:
    """All stretches of one message, whose audio has a `rate` in Hz. Positions are frames of the message."""

    def __init__(self, rate: int, aligner: Aligner) -> None:
        self._rate = rate
        self._aligner = aligner
        self._stretches: list[_Stretch] = []  # in the order of their places

    @property
    def frames(self) -> int:
        """How much audio there is."""
        return sum(stretch.frames for stretch in self._stretches)

    def add_text(
        self, place: Place, text: str, *, times: Times | None = None, anew: bool = False, over: bool = False
    ) -> None:
        """The next of a stretch's text, or (`anew`) all of it; `over`: no more comes.

        `times` are those in the stretch's audio between which the provider says that it is spoken.
        """
        stretch = self._stretch(place)
        if anew:
            stretch.replace_text(text)
        elif text:
            stretch.add_text(text, times)
        if over:
            stretch.end_text()

    def show(self, place: Place, text: str) -> None:
        """Text that no sound goes with: it counts as heard."""
        stretch = self._stretch(place)
        stretch.text += text
        stretch.shown = True

    def add_audio(self, place: Place, pcm: bytes, *, over: bool = False) -> None:
        """The next of a stretch's audio; `over`: that was all, and its text is no longer than it."""
        stretch = self._stretch(place)
        if pcm:
            for earlier in self._stretches[: self._stretches.index(stretch)]:
                earlier.end_audio()  # whoever goes on behind it has ended it
            stretch.add_audio(pcm)
        if over:
            stretch.end_audio()

    def follow(self, frames: int) -> list[Word]:
        """The words that have begun since this was called last, now that so many frames were heard."""
        begun: list[Word] = []
        for stretch, heard, whole, offset_ms in self._reached(frames):
            if (heard or whole) and (words := stretch.begin(self._ms(heard), whole=whole)):
                begun += _moved(words, offset_ms)
            if not (whole or stretch.shown):  # what is behind it, and may have no audio of its own, is yet to come
                break
        return begun

    def heard(self, frames: int) -> tuple[str, list[Word]]:
        """What was heard of the text, and of the words that were told, with so many frames."""
        text, words, reached = "", list[Word](), True
        for stretch, heard, whole, offset_ms in self._reached(frames):
            if stretch.shown:
                text += stretch.text
            elif reached:
                told = stretch.heard(self._ms(heard), whole=whole)
                text += stretch.text if whole else "".join(word.text for word in told)
                words += _moved(told, offset_ms)
                reached = whole
        return text, words

    def end_text(self) -> None:
        """No more comes of any stretch."""
        for stretch in self._stretches:
            stretch.end_text()

    def _reached(self, frames: int) -> Iterator[tuple[_Stretch, int, bool, int]]:
        """Each stretch, with the frames of it that were heard, whether that is all, and the ms of those before it."""
        before = 0
        for stretch in self._stretches:
            heard = min(max(frames - before, 0), stretch.frames)
            whole = stretch.over and heard == stretch.frames and frames > 0  # else not even what has none
            yield stretch, heard, whole, self._ms(before)
            before += stretch.frames

    def _stretch(self, place: Place) -> _Stretch:
        for stretch in reversed(self._stretches):
            if stretch.place == place:
                return stretch
        stretch = _Stretch(place, self._aligner.begin(self._rate), self._rate)
        insort(self._stretches, stretch, key=lambda each: each.place)
        return stretch

    def _ms(self, frames: int) -> int:
        return frames * 1000 // self._rate


def _moved(words: list[Word], ms: int) -> list[Word]:
    """Their times by the message's audio, of which so much is before theirs."""
    return [replace(word, start_ms=word.start_ms + ms, end_ms=word.end_ms + ms) if ms else word for word in words]
