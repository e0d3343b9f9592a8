"""The companion that lets a session's voice speak: sentence by sentence, in the order in which they were wanted.

What it is asked for it hears (`SpeechWanted`), and that a message has ended: then nobody wants the rest. What it has to
say goes to the message by way of the context actor, as all that comes from outside.
"""

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from typing import cast

import anyio
import anyio.lowlevel

from rtactors import mail
from rtactors.causes import sentence_of
from rtactors.companion import Companion, Company, is_cancelled
from rtactors.session_events import SessionEvent, SpeechWanted, Transition
from rtactors.voices.base import Voice
from statecharts.message import MESSAGE


class Speaking(Companion):
    """Lets `voice` speak."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self._wanted: deque[SpeechWanted] = deque()
        self._news = anyio.Event()
        self._scope: anyio.CancelScope | None = None  # of what it speaks now

    def hear(self, event: SessionEvent) -> None:
        match event:
            case SpeechWanted():
                self._wanted.append(event)
                self._news.set()
            case Transition(chart=MESSAGE.name, id=message_id, after=after) if after in MESSAGE.final:
                self._give_up(message_id)
            case _:
                pass

    def _give_up(self, message_id: str) -> None:
        """Nobody wants to hear more of it."""
        if self._scope and self._wanted and self._wanted[0].message_id == message_id:
            self._scope.cancel()
        self._wanted = deque(wanted for wanted in self._wanted if wanted.message_id != message_id)

    async def run(self, company: Company) -> None:
        while True:
            while not self._wanted:
                self._news = anyio.Event()
                await self._news.wait()
            wanted = self._wanted[0]
            with anyio.CancelScope() as self._scope:
                await self._speak(wanted, company)
            if self._wanted and self._wanted[0] is wanted:
                self._wanted.popleft()

    async def _speak(self, wanted: SpeechWanted, company: Company) -> None:
        message_id, number = wanted.message_id, wanted.number
        pieces = None
        try:
            pieces = self._voice.speak(wanted.text)
            while piece := await self._next(pieces, company.deadlines.voice):
                company.tell(mail.SpokenAudio(message_id, number, piece, over=False))
                await anyio.lowlevel.checkpoint()  # who takes it has to keep up
            company.tell(mail.SpokenAudio(message_id, number, b"", over=True))
        except anyio.get_cancelled_exc_class():
            if is_cancelled():
                raise
            self._on_failed(message_id, "what the voice waited for was cancelled", company)
        except Exception as error:  # noqa: BLE001 - it is the app's, or a service's: the session goes on without it
            self._on_failed(message_id, sentence_of(error), company)
        finally:
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()

    def _on_failed(self, message_id: str, reason: str, company: Company) -> None:
        company.tell(mail.VoiceFailed(message_id, reason))
        self._give_up(message_id)

    async def _next(self, pieces: AsyncIterator[bytes], seconds: float) -> bytes | None:
        """The next piece that is not empty; None at the end. Raises TimeoutError."""
        try:
            with anyio.fail_after(seconds):
                async for piece in pieces:
                    if piece:
                        return _audio(piece)
        except TimeoutError:
            raise TimeoutError(f"the voice gave nothing for {seconds:g} s") from None
        return None


def _audio(piece: object) -> bytes:
    """A number of bytes is not that many bytes of silence."""
    if not isinstance(piece, bytes | bytearray | memoryview):
        raise TypeError(f"audio has to be bytes of PCM16, not {type(piece).__name__}")
    return bytes(cast("bytes", piece))  # or what is like it
