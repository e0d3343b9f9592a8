"""An aligner that looks at no audio: it spreads the text over it evenly, as if each character took as long as the next.

It is right where that is so, as for the tones of `rtactors.loopback.ToneVoice`, and what others are measured against.
"""

from collections.abc import Sequence

from rtactors.alignment.base import Alignment, Word
from rtactors.alignment.words import whole_words
from rtactors.events import BYTES_PER_FRAME

MS_PER_CHARACTER = 65
"""Ordinary speech has about 15 characters a second: what text whose audio isn't all here yet is reckoned at."""


class EvenAligner:
    """Begins alignments that know no more than how long text and audio are."""

    def begin(self, rate: int) -> Alignment:
        return _EvenAlignment(rate)


class _EvenAlignment:
    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._text = ""
        self._text_over = False
        self._size = 0  # bytes of audio
        self._audio_over = False

    def add_text(self, text: str) -> None:
        self._text += text

    def replace_text(self, text: str) -> None:
        self._text = text

    def end_text(self) -> None:
        self._text_over = True

    def add_audio(self, pcm: bytes) -> None:
        self._size += len(pcm)

    def end_audio(self) -> None:
        self._audio_over = True

    def words(self) -> Sequence[Word]:
        audio_ms = self._size // BYTES_PER_FRAME * 1000 // self._rate
        whole_ms = len(self._text) * MS_PER_CHARACTER
        if self._text_over:  # else there may be more of it in the audio
            whole_ms = audio_ms if self._audio_over else max(audio_ms, whole_ms)
        words: list[Word] = []
        at = 0
        for word in whole_words(self._text, over=self._text_over):
            start, at = at, at + len(word)
            words.append(Word(word, whole_ms * start // len(self._text), whole_ms * at // len(self._text)))
        return words
