"""Server voice detection: finds where the user's speech begins and ends, by its loudness over the background.

Synchronous, streaming and deterministic: the same bytes give the same result however they are cut into pieces.
Positions are ms of input audio since the session's first sample; no clock is read.
"""

from array import array
from collections import deque
from math import log10
from operator import mul
from typing import TypeAlias

from msgspec import Struct

from rtactors.loopback.conversation import BYTES_PER_MS

WINDOW_MS = 20
WINDOW_BYTES = WINDOW_MS * BYTES_PER_MS
ONSET_MS = 60
"""Speech must last this long to count: a click does not."""
BACKGROUND_MS = 3000
"""The quietest window of this time is the background."""
QUIETEST_DB, LOUDEST_DB = -70.0, -35.0
"""Bounds of what may be background, in dB of full scale; what is louder is a voice even if it never pauses."""
FIRST_DB = -45.0
"""The highest background that the very first window may set: somebody may be speaking already."""
AUDIBLE_DB = -50.0
"""What is quieter is never speech."""


class TurnDetection(Struct, frozen=True, kw_only=True):
    """The protocol's `server_vad` settings. `threshold` is 0 (everything is speech) to 1 (only what is very loud)."""

    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500


class SpeechBegan(Struct, frozen=True, tag=True):
    start_ms: int
    """Where the user's turn begins, the padding before the first sound included."""


class SpeechEnded(Struct, frozen=True, tag=True):
    end_ms: int
    """Where the user's turn ends, the silence that ended it included."""


Change: TypeAlias = SpeechBegan | SpeechEnded


class Detector:
    """Feed it the input audio; it tells where speech began and ended. `position_ms` is where its first byte stands."""

    def __init__(self, settings: TurnDetection, position_ms: int = 0) -> None:
        self._settings = settings
        self._earliest_ms = self._position_ms = position_ms
        self._rest = b""
        self._margin_db = 4 + 16 * settings.threshold
        self._levels: deque[float] = deque(maxlen=BACKGROUND_MS // WINDOW_MS)
        self._loud_ms = 0
        self._quiet_ms = 0
        self.speaking = False

    def feed(self, pcm: bytes) -> list[Change]:
        """The next PCM16 bytes, of any length. Returns what was found in them, in order."""
        pcm = self._rest + pcm
        whole = len(pcm) - len(pcm) % WINDOW_BYTES
        self._rest = pcm[whole:]
        changes = (self._window(pcm[start : start + WINDOW_BYTES]) for start in range(0, whole, WINDOW_BYTES))
        return [change for change in changes if change is not None]

    def _window(self, pcm: bytes) -> Change | None:
        level = _level_db(pcm)
        if not self._levels:
            self._levels.append(min(level, FIRST_DB))
        self._levels.append(level)
        background = min(max(min(self._levels), QUIETEST_DB), LOUDEST_DB)
        self._position_ms += WINDOW_MS
        if level > max(background + self._margin_db, AUDIBLE_DB):
            self._loud_ms += WINDOW_MS
            self._quiet_ms = 0
        else:
            self._loud_ms = 0
            self._quiet_ms += WINDOW_MS
        if not self.speaking and self._loud_ms >= ONSET_MS:
            self.speaking = True
            start = self._position_ms - self._loud_ms - self._settings.prefix_padding_ms
            return SpeechBegan(max(start, self._earliest_ms))
        if self.speaking and self._quiet_ms >= self._settings.silence_duration_ms:
            self.speaking = False
            self._earliest_ms = self._position_ms
            return SpeechEnded(self._position_ms)
        return None


def _level_db(pcm: bytes) -> float:
    samples = array("h", pcm)
    power = sum(map(mul, samples, samples)) / len(samples)
    return 10 * log10(power / 32768**2) if power else QUIETEST_DB
