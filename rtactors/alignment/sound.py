"""Where somebody speaks in audio, and how much is said by when. Needs numpy.

The audio is cut into frames of 10 ms. A frame is loud if it isn't far below the loudest so far, nor about as quiet as
the quietest. Silence of `_GAP_MS` or longer is a gap: a pause, or only the closure of a plosive.

How much is said isn't told by the clock alone: who speaks faster puts more syllables into a second. The nucleus of a
syllable is a peak of loudness between two dips (Mermelstein 1975). Each is worth as much as the next, however long it
takes; the rest of what is said goes by time. Where noise or music hides them, or a sound has none, hardly anything
would be said, however long it lasts: so a stretch between two borders says not much less than its time would.
"""

from array import array
from bisect import bisect_left, bisect_right
from math import inf
from typing import Any, NamedTuple

_FRAME_MS = 10
_BATCH_FRAMES = 20  # a call of numpy costs as much as that many frames
_GAP_MS = 50  # about the shortest closure of a plosive: of what is shorter, nothing follows
_BELOW_PEAK = 0.025  # -32 dB: quiet vowels are above it; breath, and a voice's tail in a room, below
_ABOVE_FLOOR = 4.0  # what a steady noise varies by
_FLOOR_MOST = 0.1  # of the peak: speech without any gap isn't taken for noise
_LEAST_PEAK = 1000.0  # RMS of PCM16, -30 dB: what a voice is taken to reach, as long as none is heard
_PEAK_FALLS, _FLOOR_RISES = 0.9995, 1.005  # in a frame: both follow a change within seconds
_SILENCE = 20.0  # RMS of PCM16, -64 dB: nobody speaks, whatever comes later
_CLICK = 1  # frames: what is loud no longer, within silence, is no speech

_DIP = 1.6  # 4 dB: less is no border of two syllables
_NUCLEUS = 0.1  # of the peak, -20 dB: what is quieter is no vowel
# Weights of neighbouring frames: a period of a deep voice is longer than one.
_ENDS, _SIDES, _MIDDLE = 1 / 12, 3 / 12, 4 / 12
_LATE = 3  # frames: so much later the middle of these is looked at
# In ms of ordinary speech, of which 200 are a syllable: what predicts best how much is said, whatever the pace.
_PER_NUCLEUS, _PER_MS = 155.0, 0.21
_ORDINARY = 1.1  # of that, in a ms of ordinary speech
# In a ms of a stretch that hides syllables, but for the first ones: of these it may be one long one, up to 550 ms. Less
# than ordinary, since what hides syllables hides pauses too.
_HIDDEN, _FIRST_MS = 0.95, 260.0
_NUCLEUS_MS = _PER_NUCLEUS / (_ORDINARY - _PER_MS)  # of a syllable that hasn't ended, it is taken to last so long


class Gap(NamedTuple):
    """Silence between speech."""

    start_ms: float
    end_ms: float


class Sound:
    """The audio of one stretch so far: PCM16 of `rate` Hz."""

    def __init__(self, rate: int) -> None:
        self._size = max(1, rate * _FRAME_MS // 1000)  # samples a frame
        self._frame_ms = 1000 * self._size / rate
        self._gap_frames = _GAP_MS / self._frame_ms
        self._pieces: list[bytes] = []  # not looked at yet
        self._pending = 0  # bytes of these
        self._frames = 0
        self._peak, self._floor = _LEAST_PEAK, inf  # RMS
        self._quiet_since: int | None = 0  # frame
        self._loud = 0  # frames, since it was quiet
        self._levels = (0.0, 0.0, 0.0, 0.0, 0.0)  # the last ones
        self._falling, self._extreme, self._extreme_at = False, 0.0, 0
        self._nucleus = False  # seen since the last border
        self._speech_ms = 0.0
        self._borders = array("d", [0.0])  # ms, of syllables and gaps
        self._said = array("d", [0.0])  # by then
        self.gaps: list[Gap] = []
        """Those that have ended, in order. The first begins at 0, even if it has no length."""

    @property
    def ms(self) -> float:
        """How much of it was looked at."""
        return self._frames * self._frame_ms

    @property
    def quiet_since_ms(self) -> float | None:
        """Where the gap begins that hasn't ended."""
        since = self._quiet_since
        if since is None or (self.gaps and self._frames - since < self._gap_frames):
            return None
        return since * self._frame_ms

    @property
    def speaking_rate(self) -> float:
        """How much is said in a ms of speech; at first, an ordinary voice counts as much as a second of this one."""
        return (self._said[-1] + 1000 * _ORDINARY) / (self._speech_ms + 1000)

    @property
    def _since_border_ms(self) -> float:
        """How long it has spoken since then."""
        quiet = self.quiet_since_ms
        return max(0.0, (self.ms if quiet is None else quiet) - self._borders[-1])

    def add(self, pcm: bytes) -> None:
        """Small pieces are only looked at with the next ones, or by `listen`."""
        self._pieces.append(pcm)
        self._pending += len(pcm)
        if self._pending >= _BATCH_FRAMES * 2 * self._size:
            self.listen()

    def listen(self) -> None:
        """Look at all that was added."""
        pcm = b"".join(self._pieces)
        frames = len(pcm) // (2 * self._size)
        if frames:
            self._hear(_levels(pcm, frames, self._size))
        self._pieces = [pcm[frames * 2 * self._size :]]
        self._pending = len(self._pieces[0])

    def said(self, ms: float) -> float:
        """How much is said by then, at most by now: in ms of ordinary speech."""
        borders, said = self._borders, self._said
        after = bisect_right(borders, ms)
        if after < len(borders):
            part = (ms - borders[after - 1]) / (borders[after] - borders[after - 1])
            return said[after - 1] + part * (said[after] - said[after - 1])
        since = min(ms - borders[-1], self._since_border_ms)
        heard = _PER_MS * since + _PER_NUCLEUS * min(1.0, since / _NUCLEUS_MS)
        return said[-1] + max(heard, since * _least(self._since_border_ms))

    def when(self, said: float) -> float:
        """When so much is said, in ms."""
        borders, amounts = self._borders, self._said
        after = bisect_left(amounts, said)
        if after == len(amounts):
            rest = said - amounts[-1]
            heard_ms = max(rest / _ORDINARY, (rest - _PER_NUCLEUS) / _PER_MS)
            least = _least(self._since_border_ms)
            return borders[-1] + (min(heard_ms, rest / least) if least else heard_ms)
        if after == 0:
            return borders[0]
        part = (said - amounts[after - 1]) / (amounts[after] - amounts[after - 1])
        return borders[after - 1] + part * (borders[after] - borders[after - 1])

    def _hear(self, levels: list[float]) -> None:  # noqa: C901 - one loop: a call a frame costs as much as all it does
        """Frame by frame; there are a hundred in a second of each conversation."""
        peak, floor = self._peak, self._floor
        one, two, three, four, five = self._levels
        for level in levels:
            peak = max(peak, level)
            floor *= _FLOOR_RISES
            if level < floor:
                floor = max(1.0, level)
            noise = min(floor * _ABOVE_FLOOR, peak * _FLOOR_MOST)
            if level > noise and level > peak * _BELOW_PEAK and level > _SILENCE:
                peak *= _PEAK_FALLS
                self._loud += 1
                if self._quiet_since is not None and self._loud > _CLICK:
                    self._peak = peak
                    self._speaks_again(self._quiet_since, self._frames + 1 - self._loud)
                    self._quiet_since = None
            else:
                self._loud = 0
                if self._quiet_since is None:
                    self._quiet_since = self._frames
            self._frames += 1
            one, two, three, four, five = two, three, four, five, level
            smooth = 1 + (_ENDS * one + _SIDES * two + _MIDDLE * three + _SIDES * four + _ENDS * five)
            # From peak to dip to peak.
            if self._falling:
                if smooth < self._extreme:
                    self._extreme, self._extreme_at = smooth, self._frames - _LATE
                elif smooth > self._extreme * _DIP and self._quiet_since is None:
                    self._border(self._extreme_at, speech=True)
                    self._falling, self._extreme = False, smooth
            elif smooth > self._extreme:
                self._extreme = smooth
            elif smooth * _DIP < self._extreme:
                self._nucleus = self._extreme > peak * _NUCLEUS
                self._falling, self._extreme, self._extreme_at = True, smooth, self._frames - _LATE
        self._peak, self._floor = peak, floor
        self._levels = one, two, three, four, five

    def _speaks_again(self, quiet: int, loud: int) -> None:
        if self.gaps and loud - quiet < self._gap_frames:
            return
        if not self._falling:
            self._nucleus = self._extreme > max(_SILENCE, self._peak * _NUCLEUS)
        self._border(quiet, speech=True)
        self._border(loud, speech=False)
        self._falling, self._extreme, self._extreme_at = True, 1.0, loud
        self.gaps.append(Gap(quiet * self._frame_ms, loud * self._frame_ms))

    def _border(self, frame: int, *, speech: bool) -> None:
        length = frame * self._frame_ms - self._borders[-1]
        if length <= 0:
            return
        said = 0.0
        if speech:
            self._speech_ms += length
            said = max(_PER_MS * length + _PER_NUCLEUS * self._nucleus, length * _least(length))
            self._nucleus = False
        self._borders.append(frame * self._frame_ms)
        self._said.append(self._said[-1] + said)


def _least(ms: float) -> float:
    """How much each ms says at least, of a stretch of so many between two borders, or since the last one."""
    return _HIDDEN * (1 - _FIRST_MS / ms) if ms > _FIRST_MS else 0.0


def _levels(pcm: bytes, frames: int, size: int) -> list[float]:
    """RMS of each frame."""
    import numpy as np

    samples = np.frombuffer(pcm, "<i2", frames * size).reshape(frames, size).astype(np.float32)
    result: Any = np.sqrt(np.einsum("ij,ij->i", samples, samples) / size)
    return result.tolist()
