"""The input audio buffer: what the user said since the last commit, and where speech is in it. Synchronous."""

from rtactors.loopback.conversation import BYTES_PER_MS, Rejected
from rtactors.loopback.vad import Change, Detector, Loudness, SpeechEnded, TurnDetection, Vad

SHORTEST_MS = 100
"""OpenAI refuses to commit less."""
LARGEST_APPEND = 15 * 1024 * 1024
"""Bytes of audio in one append."""
LONGEST_MS = 60 * 60 * 1000
"""What the buffer holds at most: as much as comes in OpenAI's longest session."""
SILENCE_KEPT_MS = 10_000
"""While detection is on and nobody speaks, what is older will never be a part of a turn."""


class InputBuffer:
    """All positions are ms of input audio since the session's first sample."""

    _detection: TurnDetection | None
    _detector: Detector | None

    def __init__(self, detection: TurnDetection | None, vad: Vad = Loudness) -> None:
        self._vad = vad
        self._audio = bytearray()
        self._half: bytes = b""  # the first byte of a frame whose second is still to come
        self._dropped = 0  # bytes of this session that were before the buffer's first
        self.detect(detection)

    @property
    def end_ms(self) -> int:
        return (self._dropped + len(self._audio)) // BYTES_PER_MS

    def detect(self, detection: TurnDetection | None) -> None:
        """Take over new settings; None switches detection off."""
        self._detection = detection
        self._detector = Detector(detection, self._vad, self.end_ms) if detection else None

    def append(self, pcm: bytes) -> list[Change]:
        """Any number of bytes; gives what was found in them. Raises Rejected."""
        if len(pcm) > LARGEST_APPEND:
            message = f"Error appending audio: {len(pcm)} bytes are more than the {LARGEST_APPEND} that are allowed."
            raise Rejected("invalid_value", message, "audio")
        if len(self._audio) + len(pcm) > LONGEST_MS * BYTES_PER_MS:
            raise Rejected("invalid_value", "The input audio buffer is full: commit or clear it first.", "audio")
        pcm = self._half + pcm
        whole = len(pcm) // 2 * 2
        pcm, self._half = pcm[:whole], pcm[whole:]
        self._audio += pcm
        changes = self._detector.feed(pcm) if self._detector else []
        if self._detector and not self._detector.speaking and not any(isinstance(one, SpeechEnded) for one in changes):
            self._drop_until(self.end_ms - SILENCE_KEPT_MS)
        return changes

    def take(self, start_ms: int, end_ms: int) -> bytes:
        """The audio of a turn, which leaves the buffer together with all before it."""
        self._drop_until(start_ms)
        taken = bytes(self._audio[: max(0, end_ms * BYTES_PER_MS - self._dropped)])
        self._drop_until(end_ms)
        return taken

    def commit(self) -> bytes:
        """All of it, at a client's command."""
        if len(self._audio) < SHORTEST_MS * BYTES_PER_MS:
            message = (
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"{SHORTEST_MS}ms of audio, but buffer only has {len(self._audio) / BYTES_PER_MS:.2f}ms of audio."
            )
            raise Rejected("input_audio_buffer_commit_empty", message)
        audio = bytes(self._audio)
        self.clear()
        return audio

    def clear(self) -> None:
        """Forgets the audio, and a turn that has begun in it."""
        self._dropped += len(self._audio)
        self._audio.clear()
        self.detect(self._detection)

    def _drop_until(self, ms: int) -> None:
        count = min(max(0, ms * BYTES_PER_MS - self._dropped), len(self._audio))
        del self._audio[:count]
        self._dropped += count
