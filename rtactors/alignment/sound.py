"""Where somebody speaks in audio and where there is silence, as the audio comes. Needs numpy.

The audio is cut into frames of 10 ms. One is loud if it isn't far below the loudest so far, nor about as quiet as the
quietest. Silence of `GAP_MS` or longer is a gap: a pause, or the closure of a plosive: which of them, the aligner decides.
"""

from typing import Any, NamedTuple

FRAME_MS = 10
GAP_MS = 50
_BELOW_PEAK = 0.025  # -32 dB: quiet vowels are above it, breath and the tail of a room below
_ABOVE_FLOOR = 2.5  # what a steady noise varies by
_FLOOR_MOST = 0.1  # of the peak: speech without any gap isn't taken for noise
_PEAK_FALLS, _FLOOR_RISES = 0.9995, 1.005  # a frame: they follow changes within seconds
_SILENCE = 20.0  # RMS of PCM16, -64 dB: nobody speaks, whatever comes later


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

    @property
    def ms(self) -> int:
        return self._frames * FRAME_MS

    @property
    def quiet_since(self) -> int | None:
        """Start of the gap that hasn't ended."""
        if self._quiet_since < 0 or (self.gaps and self._frames - self._quiet_since < GAP_MS // FRAME_MS):
            return None
        return self._quiet_since * FRAME_MS

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

    def _frame(self, rms: float) -> None:
        self._floor = min(max(rms, 1.0), self._floor * _FLOOR_RISES)
        self._peak = max(self._peak, rms)
        if rms > max(_SILENCE, self._peak * _BELOW_PEAK, min(self._floor * _ABOVE_FLOOR, self._peak * _FLOOR_MOST)):
            self._peak *= _PEAK_FALLS
            if self._quiet_since >= 0:
                if not self.gaps or self._frames - self._quiet_since >= GAP_MS // FRAME_MS:
                    self.gaps.append(Gap(self._quiet_since * FRAME_MS, self._frames * FRAME_MS))
                self._quiet_since = -1
        elif self._quiet_since < 0:
            self._quiet_since = self._frames
        self._frames += 1


def _loudness(pcm: bytes, frames: int, size: int) -> list[float]:
    import numpy as np  # noqa: PLC0415

    samples = np.frombuffer(pcm, "<i2", frames * size).reshape(frames, size).astype(np.float32)
    result: Any = np.sqrt(np.einsum("ij,ij->i", samples, samples) / size)
    return result.tolist()
