"""Where somebody speaks in audio, and how much is said by when. Needs numpy.

The audio is cut into frames of 10 ms. One is loud if it isn't far below the loudest so far, nor about as quiet as the
quietest. Silence of `GAP_MS` or longer is a gap: a pause, or the closure of a plosive: which of them, the aligner decides.

How much is said isn't measured by the clock alone: who speaks faster puts more syllables into a second. The nucleus of a
syllable is a peak of loudness between two dips (Mermelstein 1975), and each is worth as much as the next, whatever time
it takes; the rest goes by time. A voice's pace comes out about half as uncertain as by time alone.
"""

from array import array
from bisect import bisect_left, bisect_right
from typing import Any, NamedTuple

FRAME_MS = 10
GAP_MS = 50
_BELOW_PEAK = 0.025  # -32 dB: quiet vowels are above it, breath and the tail of a room below
_ABOVE_FLOOR = 2.5  # what a steady noise varies by
_FLOOR_MOST = 0.1  # of the peak: speech without any gap isn't taken for noise
_PEAK_FALLS, _FLOOR_RISES = 0.9995, 1.005  # a frame: they follow changes within seconds
_SILENCE = 20.0  # RMS of PCM16, -64 dB: nobody speaks, whatever comes later

BLIP = 2  # frames: what is loud no longer is no speech
_DIP = 1.5  # 3 dB: less is no border of syllables
_NUCLEUS = 0.056  # of the peak, -25 dB: what is quieter is no vowel
SYLLABLE = 142.0  # of what a mean syllable of 200 ms is worth, this much is the nucleus
_TIME = 0.29  # and this much of each ms of speech


class Gap(NamedTuple):
    """Silence between speech, in ms."""

    start: int
    end: int


class Sound:
    """The audio of one stretch so far."""

    def __init__(self, rate: int) -> None:
        self._size = max(1, rate * FRAME_MS // 1000)  # samples a frame
        self._rest: list[bytes] = []
        self._frames = 0
        self._peak = 0.0
        self._floor = 1e9
        self._quiet_since = 0  # frame, or -1 while it is loud
        self.gaps: list[Gap] = []
        """Those that ended; the first begins at 0, even if it has no length."""
        self._times = array("d", [0.0])
        self._said = array("d", [0.0])
        self._window = [0.0] * 5
        self._high = 0.0  # of this syllable
        self._low = 0.0
        self._low_at = 0
        self._falling = False
        self._nucleus = False
        self._spoken_ms = 0
        self._loud = 0

    @property
    def ms(self) -> int:
        return self._frames * FRAME_MS

    @property
    def quiet_since(self) -> int | None:
        """Start of the gap that hasn't ended."""
        if self._quiet_since < 0 or (self.gaps and self._frames - self._quiet_since < GAP_MS // FRAME_MS):
            return None
        return self._quiet_since * FRAME_MS

    @property
    def rate(self) -> float:
        """How much is said in a ms of speech."""
        return (self._said[-1] + 1100) / (self._spoken_ms + 1000)

    def add(self, pcm: bytes) -> None:
        self._rest.append(pcm)

    def listen(self) -> None:
        """Look at what came."""
        if not self._rest:
            return
        pcm = b"".join(self._rest)
        whole = len(pcm) // (2 * self._size)
        self._rest = [pcm[whole * 2 * self._size :]]
        if whole:
            for rms in _loudness(pcm, whole, self._size):
                self._frame(rms)

    def said(self, ms: float) -> float:
        """How much is said by then: ms of speech at an ordinary pace."""
        times = self._times
        if ms >= times[-1]:
            quiet = self.quiet_since
            since = (ms if quiet is None else min(ms, max(quiet, times[-1]))) - times[-1]
            return self._said[-1] + _TIME * since + min(SYLLABLE, (1.1 - _TIME) * since)
        after = bisect_right(times, ms)
        first, last = times[after - 1], times[after]
        part = (ms - first) / (last - first)
        return self._said[after - 1] + part * (self._said[after] - self._said[after - 1])

    def when(self, said: float) -> float:
        """When so much is said."""
        amounts = self._said
        after = bisect_left(amounts, said)
        if after >= len(amounts):
            return self._times[-1] + (said - amounts[-1]) / 1.1
        if not after:
            return self._times[0]
        first, last = amounts[after - 1], amounts[after]
        part = (said - first) / (last - first)
        return self._times[after - 1] + part * (self._times[after] - self._times[after - 1])

    def _knot(self, frame: int, *, speech: bool) -> None:
        ms = frame * FRAME_MS
        length = ms - self._times[-1]
        if length <= 0:
            return
        self._times.append(ms)
        if speech:
            self._spoken_ms += length
        self._said.append(self._said[-1] + speech * (_TIME * length + SYLLABLE * self._nucleus))
        self._nucleus = False

    def _frame(self, rms: float) -> None:
        self._floor = min(max(rms, 1.0), self._floor * _FLOOR_RISES)
        self._peak = max(self._peak, rms)
        if rms > max(_SILENCE, self._peak * _BELOW_PEAK, min(self._floor * _ABOVE_FLOOR, self._peak * _FLOOR_MOST)):
            self._peak *= _PEAK_FALLS
            self._loud += 1
            if self._quiet_since >= 0 and self._loud >= BLIP:
                begun = self._frames + 1 - self._loud
                if not self.gaps or begun - self._quiet_since >= GAP_MS // FRAME_MS:
                    self._end_syllable(self._quiet_since)
                    self._knot(begun, speech=False)
                    self.gaps.append(Gap(self._quiet_since * FRAME_MS, begun * FRAME_MS))
                self._quiet_since = -1
        else:
            self._loud = 0
            if self._quiet_since < 0:
                self._quiet_since = self._frames
        self._frames += 1
        # syllables, two frames late
        window = self._window
        del window[0]
        window.append(rms)
        a, b, c, d, e = window
        level = (a + 3 * b + 4 * c + 3 * d + e) / 12 + 1
        at = self._frames - 3
        if self._falling:
            if level < self._low:
                self._low, self._low_at = level, at
            elif level > self._low * _DIP:
                self._knot(self._low_at, speech=True)
                self._falling, self._high = False, level
        elif level > self._high:
            self._high = level
        elif level * _DIP < self._high:
            self._nucleus = self._high > self._peak * _NUCLEUS
            self._falling, self._low, self._low_at = True, level, at

    def _end_syllable(self, frame: int) -> None:
        if not self._falling:
            self._nucleus = self._high > max(_SILENCE, self._peak * _NUCLEUS)
        self._knot(frame, speech=True)
        self._falling, self._low, self._low_at = True, 1.0, frame


def _loudness(pcm: bytes, frames: int, size: int) -> list[float]:
    import numpy as np  # noqa: PLC0415

    samples = np.frombuffer(pcm, "<i2", frames * size).reshape(frames, size).astype(np.float32)
    result: Any = np.sqrt(np.einsum("ij,ij->i", samples, samples) / size)
    return result.tolist()
