"""The floor: a client library, msgspec, and a direct call; no framework.

    python benchmarks/sides/floor.py URL [asyncio|uvloop] [--read-bytes 65536 | --our-transport] [--microphone]

It has no states, no record and no captions, and knows of one message a reply; but it interrupts, tells the server what
was heard, and waits for the answer: what anybody would write who needs no more.
"""

import asyncio
import sys
from argparse import ArgumentParser
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from importlib.metadata import version
from typing import TypeAlias

from base import Player, microphone, run
from msgspec import Struct
from msgspec.json import Decoder, Encoder
from websockets.asyncio.client import connect


class Event(Struct, tag_field="type"):
    """What the server sends; of most of it nothing is read but the type."""


class AudioDelta(Event, tag="response.output_audio.delta"):
    item_id: str
    delta: bytes


class SpeechStarted(Event, tag="input_audio_buffer.speech_started"):
    pass


class ResponseDone(Event, tag="response.done"):
    pass


class Truncated(Event, tag="conversation.item.truncated"):
    pass


class SessionCreated(Event, tag="session.created"):
    pass


class SessionUpdated(Event, tag="session.updated"):
    pass


class ResponseCreated(Event, tag="response.created"):
    pass


class OutputItemAdded(Event, tag="response.output_item.added"):
    pass


class OutputItemDone(Event, tag="response.output_item.done"):
    pass


class ItemAdded(Event, tag="conversation.item.added"):
    pass


class ItemDone(Event, tag="conversation.item.done"):
    pass


class PartAdded(Event, tag="response.content_part.added"):
    pass


class PartDone(Event, tag="response.content_part.done"):
    pass


class AudioDone(Event, tag="response.output_audio.done"):
    pass


class TranscriptDelta(Event, tag="response.output_audio_transcript.delta"):
    pass


class TranscriptDone(Event, tag="response.output_audio_transcript.done"):
    pass


class SpeechStopped(Event, tag="input_audio_buffer.speech_stopped"):
    pass


class InputCommitted(Event, tag="input_audio_buffer.committed"):
    pass


ServerEvent: TypeAlias = (
    AudioDelta
    | SpeechStarted
    | ResponseDone
    | Truncated
    | SessionCreated
    | SessionUpdated
    | ResponseCreated
    | OutputItemAdded
    | OutputItemDone
    | ItemAdded
    | ItemDone
    | PartAdded
    | PartDone
    | AudioDone
    | TranscriptDelta
    | TranscriptDone
    | SpeechStopped
    | InputCommitted
)


class Append(Struct, tag_field="type", tag="input_audio_buffer.append"):
    """What the user says."""

    audio: bytes


class Truncate(Struct, tag_field="type", tag="conversation.item.truncate"):
    item_id: str
    audio_end_ms: int
    content_index: int = 0


encode = Encoder().encode
decode = Decoder(ServerEvent).decode
Send: TypeAlias = Callable[[str], Awaitable[None]]


class FloorCall:
    """A connection that is listened to all the time: the user may speak when the reply has long been received."""

    def __init__(self, send: Send, *, hears: bool) -> None:
        self.player = Player()
        self._send = send
        self._hears = hears
        self._item_id = ""
        self._received = self._stopped = self._truncated = asyncio.Event()
        self._sending: asyncio.Task[None] | None = None

    def take(self, frame: str | bytes) -> bool:
        """One message of the server's; there is always one more."""
        event = decode(frame)
        if isinstance(event, AudioDelta):
            if not self._stopped.is_set():
                self._item_id = event.item_id
                self.player.write(event.delta)
        elif isinstance(event, SpeechStarted):
            self._interrupt()
        elif isinstance(event, ResponseDone):
            self._received.set()
        elif isinstance(event, Truncated):
            self._truncated.set()
        return True

    def _interrupt(self) -> None:
        if self.player.left_s:
            frames = self.player.stop()
            self._stopped.set()
            truncate = encode(Truncate(self._item_id, frames // 24)).decode()
            self._sending = asyncio.create_task(self._send_now(truncate))

    async def _send_now(self, event: str) -> None:
        await self._send(event)

    async def reply(self) -> None:
        self._received, self._stopped, self._truncated = asyncio.Event(), asyncio.Event(), asyncio.Event()
        async with microphone(self._hear if self._hears else None):
            await self._send('{"type": "response.create"}')
            await self._received.wait()
            while not self._stopped.is_set() and (left := self.player.left_s):
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopped.wait(), left)
            if self._stopped.is_set():
                await self._truncated.wait()

    async def _hear(self, pcm: bytes) -> None:
        await self._send(encode(Append(pcm)).decode())


@asynccontextmanager
async def by_websockets(url: str, *, read_bytes: int | None, hears: bool) -> AsyncGenerator[FloorCall]:
    async with connect(url, compression=None, max_size=None) as socket:
        if read_bytes and hasattr(socket.transport, "max_size"):  # uvloop reads otherwise
            socket.transport.max_size = read_bytes  # pyright: ignore[reportAttributeAccessIssue] - asyncio's, untyped
        call = FloorCall(socket.send, hears=hears)

        async def read() -> None:
            receive, take = socket.recv, call.take
            while True:
                take(await receive(decode=False))

        async with until_left(read()):
            yield call


@asynccontextmanager
async def by_our_transport(url: str, *, hears: bool) -> AsyncGenerator[FloorCall]:
    from rtactors.providers.base import Endpoint  # noqa: PLC0415 - the floor has nothing of ours otherwise
    from rtactors.transports.base import listen  # noqa: PLC0415
    from rtactors.transports.websocket import connect  # noqa: PLC0415

    async with connect(Endpoint(url=url)) as socket:
        call = FloorCall(socket.send, hears=hears)
        async with until_left(listen(socket, call.take)):
            yield call


@asynccontextmanager
async def until_left(work: Coroutine[None, None, None]) -> AsyncGenerator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()


if __name__ == "__main__":
    parser = ArgumentParser()
    parser.add_argument("--read-bytes", type=int, help="what asyncio reads at once: 64 KiB, say, instead of its 256")
    parser.add_argument("--our-transport", action="store_true", help="by rtactors' own, instead of websockets")
    parser.add_argument("--microphone", action="store_true", help="20 ms of the user's audio, 50 times a second")
    options = parser.parse_args(sys.argv[3:])

    def open_call(url: str) -> AbstractAsyncContextManager[FloorCall]:
        url = f"{url}/realtime?model=gpt-realtime"
        if options.our_transport:
            return by_our_transport(url, hears=options.microphone)
        return by_websockets(url, read_bytes=options.read_bytes, hears=options.microphone)

    run(open_call, versions={name: version(name) for name in ("websockets", "msgspec", "uvloop")})
