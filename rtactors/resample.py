"""Changes the rate of PCM16: one polyphase windowed-sinc filter. Pure; needs numpy."""

from functools import cache
from math import gcd
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HALF_WIDTH = 16
"""Input frames on each side of an output frame that it is computed from, at equal rates."""
ROLL_OFF = 0.94
"""Where the pass band ends, as a part of the lower Nyquist frequency."""


def resample(pcm: bytes, source: int, target: int) -> bytes:
    """Mono PCM16 at `source` Hz to `target` Hz. The duration stays the same within a frame."""
    if source == target or not pcm:
        return pcm
    import numpy as np

    divisor = gcd(source, target)
    up, down = target // divisor, source // divisor
    kernels = _kernels(up, down)
    width = kernels.shape[1]
    samples = np.frombuffer(pcm, "<i2").astype(np.float32)
    padded = np.pad(samples, width // 2)
    steps = np.arange(len(samples) * up // down) * down
    start, phase = steps // up + 1, steps % up
    mixed = sum(kernels[phase, tap] * padded[start + tap] for tap in range(width))
    return np.clip(np.rint(mixed), -32768, 32767).astype("<i2").tobytes()


@cache
def _kernels(up: int, down: int) -> "NDArray[np.float32]":
    """A row of taps for each of the `up` positions that an output frame can have between two input frames."""
    import numpy as np

    cutoff = ROLL_OFF * min(1.0, up / down)
    half = int(np.ceil(HALF_WIDTH / cutoff))
    taps = np.arange(1 - half, half + 1)
    distance = taps[None, :] - np.arange(up)[:, None] / up
    window = np.cos(np.pi * distance / (2 * half)) ** 2
    kernels = cutoff * np.sinc(cutoff * distance) * window
    return (kernels / kernels.sum(axis=1, keepdims=True)).astype(np.float32)
