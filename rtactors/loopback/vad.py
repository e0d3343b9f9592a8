"""Server voice detection: where in the input audio the user's turns begin and end.

A classifier says of each window of 20 ms whether somebody speaks in it: `Loudness`, which needs nothing, or
`WebrtcVad`, which isn't fooled by noise. The `Detector` makes turns of that, as the protocol's settings want them. All
of it is synchronous, streaming and deterministic: the same bytes give the same turns however they are cut into pieces.
Positions are ms of input audio since the session's first sample; no clock is read.
"""

from array import array
from collections import deque
from collections.abc import Callable
from math import log10
from operator import mul
from typing import Any, Protocol, TypeAlias

from msgspec import Struct

from rtactors.errors import ConfigurationError
from rtactors.loopback.conversation import BYTES_PER_MS

WINDOW_MS = 20
WINDOW_BYTES = WINDOW_MS * BYTES_PER_MS
ONSET_MS = 60
"""Speech must last this long to count: a click does not."""


class Classifier(Protocol):
    def is_speech(self, window: bytes) -> bool:
        """Whether somebody speaks in these 20 ms of PCM16 at 24 kHz, the next ones of a stream."""
        ...


Vad: TypeAlias = Callable[[float], Classifier]
"""Makes a classifier for a threshold of 0 (everything is speech) to 1 (only what surely is)."""


class Loudness:
    """Speech is what is louder than the background, which is the quietest window of the last seconds."""

    _BACKGROUND_MS = 3000
    _QUIETEST_DB, _LOUDEST_DB = -70.0, -35.0
    """Bounds of what may be background, in dB of full scale; what is louder is a voice even if it never pauses."""
    _FIRST_DB = -45.0
    """The highest background that the very first window may set: somebody may be speaking already."""
    _AUDIBLE_DB = -50.0
    """What is quieter is never speech."""

    def __init__(self, threshold: float) -> None:
        self._margin_db = 4 + 16 * threshold
        self._levels: deque[float] = deque(maxlen=self._BACKGROUND_MS // WINDOW_MS)

    def is_speech(self, window: bytes) -> bool:
        level = level_db(window)
        if not self._levels:
            self._levels.append(min(level, self._FIRST_DB))
        self._levels.append(level)
        background = min(max(min(self._levels), self._QUIETEST_DB), self._LOUDEST_DB)
        return level > max(background + self._margin_db, self._AUDIBLE_DB)


class WebrtcVad:
    """The voice detection of WebRTC, from the package `pocketsphinx`. Raises ConfigurationError without it."""

    _RATE = 8000
    _STRICTEST = 3
    _SETTLING = 10
    """Windows in which it takes everything for speech, until it knows the background."""

    def __init__(self, threshold: float) -> None:
        try:
            import pocketsphinx  # pyright: ignore[reportMissingTypeStubs] - it has none
        except ImportError:
            raise ConfigurationError(
                'this voice detection needs PocketSphinx, which is not installed: pip install "rtactors[speech]"'
            ) from None
        package: Any = pocketsphinx
        self._unsettled = self._SETTLING
        self._vad = package.Vad(round(threshold * self._STRICTEST), self._RATE, WINDOW_MS / 1000)

    def is_speech(self, window: bytes) -> bool:
        samples = array("h", window)
        thirds = zip(samples[0::3], samples[1::3], samples[2::3], strict=True)  # 24 to 8 kHz
        speech = self._vad.is_speech(array("h", (sum(third) // 3 for third in thirds)).tobytes())
        self._unsettled = max(0, self._unsettled - 1)
        return speech and not self._unsettled


class TurnDetection(Struct, frozen=True, kw_only=True):
    """The protocol's `server_vad` settings."""

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
    """Feed it the input audio; it tells where turns begin and end. `position_ms` is where its first byte stands."""

    def __init__(self, settings: TurnDetection, vad: Vad = Loudness, position_ms: int = 0) -> None:
        self._settings = settings
        self._classifier = vad(settings.threshold)
        self._earliest_ms = self._position_ms = position_ms
        self._rest = b""
        self._speech_ms = 0
        self._silence_ms = 0
        self.speaking = False

    def feed(self, pcm: bytes) -> list[Change]:
        """The next PCM16 bytes, of any length. Returns what was found in them, in order."""
        pcm = self._rest + pcm
        whole = len(pcm) - len(pcm) % WINDOW_BYTES
        self._rest = pcm[whole:]
        changes = (self._window(pcm[start : start + WINDOW_BYTES]) for start in range(0, whole, WINDOW_BYTES))
        return [change for change in changes if change is not None]

    def _window(self, pcm: bytes) -> Change | None:
        self._position_ms += WINDOW_MS
        if self._classifier.is_speech(pcm):
            self._speech_ms += WINDOW_MS
            self._silence_ms = 0
        else:
            self._speech_ms = 0
            self._silence_ms += WINDOW_MS
        if not self.speaking and self._speech_ms >= ONSET_MS:
            self.speaking = True
            start_ms = self._position_ms - self._speech_ms - self._settings.prefix_padding_ms
            return SpeechBegan(max(start_ms, self._earliest_ms))
        if self.speaking and self._silence_ms >= self._settings.silence_duration_ms:
            self.speaking = False
            self._earliest_ms = self._position_ms
            return SpeechEnded(self._position_ms)
        return None


def level_db(pcm: bytes) -> float:
    """How loud PCM16 is, in dB of full scale; -100 for silence."""
    samples = array("h", pcm)
    power = sum(map(mul, samples, samples)) / len(samples)
    return 10 * log10(power / 32768**2) if power else -100.0
