"""A message's audio on the way to the transcript actor, a few deltas at a time: more at once cost less to listen to."""

from rtactors import mail
from rtactors.channels import Inbox
from rtactors.content import Place
from rtactors.events import BYTES_PER_FRAME

_MS = 100
"""So much audio is told at once. Its words are told late by up to that much, if it comes no faster than it is heard."""


class AudioBatch:
    """Of the message `message_id`, whose audio has a `rate` in Hz."""

    def __init__(self, message_id: str, transcript: Inbox[mail.TranscriptMail], rate: int) -> None:
        self._message_id = message_id
        self._transcript = transcript
        self._most = rate * _MS // 1000 * BYTES_PER_FRAME
        self._place: Place = (0, 0)
        self._pieces: list[bytes] = []
        self._size = 0
        self._closed = False

    def add(self, place: Place, audio: bytes) -> None:
        """PCM16 of whole frames that is to be heard, behind what was added before."""
        if self._closed:
            return
        if place != self._place:
            self.flush()
            self._place = place
        self._pieces.append(audio)
        self._size += len(audio)
        if self._size >= self._most:
            self._tell(more=True)

    def close(self) -> None:
        """Tell what is left, and nothing more from now on."""
        self.flush()
        self._closed = True

    def flush(self) -> None:
        """Tell what was added since: nobody knows when there will be more."""
        if self._size:
            self._tell(more=False)

    def _tell(self, *, more: bool) -> None:
        audio = b"".join(self._pieces)
        self._transcript.hand(mail.TranscriptAudio(self._message_id, self._place, audio, more=more))
        self._pieces.clear()
        self._size = 0
