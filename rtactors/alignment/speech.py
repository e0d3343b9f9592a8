"""The aligner that listens: it estimates from the audio where the words of the text are.

What the audio says by itself is where somebody pauses, and roughly how many syllables are said by when (`sound.py`).
What the text says is about how long each word takes, and where pauses are likely (`duration.py`, `script.py`). Both are
brought together pause by pause (`matching.py`); between two pauses the words follow one another as their durations say,
and each syllable of the audio takes its share. What is not in the audio yet lies behind it, at the pace of this voice.
"""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Sequence
from importlib import import_module
from threading import Thread
from typing import NamedTuple

from msgspec.structs import replace

from rtactors.alignment.base import Alignment, Word
from rtactors.alignment.lazy import LazyWords
from rtactors.alignment.matching import Guess, Matching
from rtactors.alignment.script import PAUSE_MS, Script
from rtactors.alignment.sound import Sound

_RESUMES_MS = 50
"""Silence that lasts goes on for at least so long."""


class SpeechAligner:
    """Knows no language and no voice; what it says gets better with each piece of audio and of text.

    Costs less than 1 ms of CPU time for each second of audio, however long the message is; more where nobody pauses.
    """

    def __init__(self) -> None:
        """Imports numpy, which takes some 50 to 200 ms: now, and not when the first audio comes; in a thread, so that
        nothing on this loop stands still for it, neither this session, which connects meanwhile, nor any other.
        """
        if "numpy" not in sys.modules:
            Thread(target=import_module, args=("numpy",), name="import numpy").start()

    def begin(self, rate: int) -> Alignment:
        return _SpeechAlignment(rate)


class _SpeechAlignment:
    def __init__(self, rate: int) -> None:
        self._sound = Sound(rate)
        self._audio_over = False
        self._read(Script())

    def _read(self, script: Script) -> None:
        self._script = script
        self._matching = Matching(script, self._sound)
        self._settled: list[Word] = []
        self._known: Sequence[Word] | None = None  # as long as nothing came

    def add_text(self, text: str) -> None:
        self._script.add(text)
        self._known = None

    def replace_text(self, text: str) -> None:
        if text == self._script.text:
            return
        script = Script()
        script.add(text)
        if self._script.over:
            script.end()
        self._read(script)

    def end_text(self) -> None:
        self._script.end()
        self._known = None

    def add_audio(self, pcm: bytes) -> None:
        self._sound.add(pcm)
        self._look()
        self._known = None

    def end_audio(self) -> None:
        self._audio_over = True
        self._known = None

    def words(self) -> Sequence[Word]:
        if self._known is None:
            self._sound.listen()
            self._look()
            self._known = self._estimate()
        return self._known

    def _look(self) -> None:
        """At the pauses that have ended."""
        if settled := self._matching.advance():
            self._settled += self._until(settled)
            settled.before = None

    def _estimate(self) -> Sequence[Word]:
        sound, script = self._sound, self._script
        over = self._audio_over and script.over
        if not sound.gaps:  # no speech so far
            if over:
                return self._between(0, len(script.words), 0.0, sound.ms)
            return self._words([], sound.ms + _RESUMES_MS if sound.ms else 0.0, 1 / sound.speaking_rate)
        guess = self._matching.best(audio_over=self._audio_over)
        begun = [*self._settled, *self._until(guess)]
        at = guess.gap.end_ms
        if at < sound.ms:
            words, at = self._being_said(guess)
            begun += words
        else:  # it is silent, or over
            at += max(_RESUMES_MS, PAUSE_MS[script.pauses[guess.word]] - (at - guess.gap.start_ms))
        if begun and len(begun) == len(script.words):  # at its end the text may have got white space
            begun[-1] = replace(begun[-1], text=script.words[-1])
        return self._words(begun, at, guess.pace / sound.speaking_rate)

    def _words(self, begun: list[Word], ahead_ms: float, pace: float) -> Sequence[Word]:
        """All; those that have not begun lie from `ahead_ms` on, so much longer than planned."""
        estimate = _Estimate(self._script, begun, ahead_ms, pace)
        return LazyWords(estimate.word, range(len(self._script.words)))

    def _until(self, guess: Guess) -> list[Word]:
        """The words of its chain."""
        parts: list[Sequence[Word]] = []
        while (before := guess.before) is not None:
            if not guess.placed:
                guess.placed = self._between(before.word, guess.word, before.gap.end_ms, guess.gap.start_ms)
            parts.append(guess.placed)
            guess = before
        return [word for part in reversed(parts) for word in part]

    def _between(self, first: int, behind: int, start_ms: float, end_ms: float) -> list[Word]:
        """Words that are said within this time."""
        sound, ms = self._sound, self._script.ms
        begin = sound.said(start_ms)
        said, planned = sound.said(end_ms) - begin, ms[behind] - ms[first]
        words: list[Word] = []
        at = start_ms
        for index in range(first, behind):
            if said and planned:
                end = sound.when(begin + said * (ms[index + 1] - ms[first]) / planned)
            else:
                end = start_ms + (end_ms - start_ms) * (index + 1 - first) / (behind - first)
            end = end_ms if index + 1 == behind else min(max(at, end), end_ms)
            words.append(Word(self._script.words[index], int(at), int(end)))
            at = end
        return words

    def _being_said(self, guess: Guess) -> tuple[list[Word], float]:
        """The words behind it that have begun; and where those begin that have not."""
        sound, script = self._sound, self._script
        said, whole = sound.said(guess.gap.end_ms), sound.said(sound.ms)
        first = guess.word
        behind = bisect_left(script.ms, script.ms[first] + (whole - said) / guess.pace, first, len(script.words))
        words: list[Word] = []
        at = guess.gap.end_ms
        for index in range(first, behind):
            said += (script.ms[index + 1] - script.ms[index]) * guess.pace
            end = sound.when(said) if said < whole else sound.ms + (said - whole) / sound.speaking_rate
            end = max(at, end)
            words.append(Word(script.words[index], int(at), int(end)))
            at = end
        return words, max(at, sound.ms) + (PAUSE_MS[script.pauses[behind]] if behind > first else 0)


class _Estimate(NamedTuple):
    """Where the words are that have begun, and where those lie that have not: these when asked for."""

    script: Script
    begun: list[Word]
    ahead_ms: float
    """Where the first of those begins that have not."""
    pace: float
    """How much longer than planned they take."""

    def word(self, number: int) -> Word:
        script, first = self.script, len(self.begun)
        if number < first:
            return self.begun[number]
        at_ms = self.ahead_ms + script.pause_ms[number] - script.pause_ms[first]
        start, end = (at_ms + (script.ms[n] - script.ms[first]) * self.pace for n in (number, number + 1))
        return Word(script.words[number], int(start), int(end))
