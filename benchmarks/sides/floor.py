"""The floor: a client library, msgspec, and a direct call; no framework.

    python benchmarks/sides/floor.py URL [asyncio|uvloop] [--read-bytes 65536] [--microphone]

It has no states, no record and no captions, and knows of one message a reply; but it interrupts, tells the server what
was heard, and waits for the answer: what anybody would write who needs no more.
"""

import asyncio
import sys
from argparse import ArgumentParser
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from functools import partial
from importlib.metadata import version
from typing import TypeAlias

from base import Player, microphone, run
from msgspec import Struct
from msgspec.json import Decoder, Encoder
from websockets.asyncio.client import ClientConnection, connect


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


class FloorCall:
    """A connection that is read all the time, since the user may speak when the reply has long been received."""

    def __init__(self, socket: ClientConnection, *, listens: bool) -> None:
        self.player = Player()
        self._socket = socket
        self._listens = listens
        self._item_id = ""
        self._received = self._stopped = self._truncated = asyncio.Event()

    async def read(self) -> None:
        receive = self._socket.recv
        while True:
            event = decode(await receive(decode=False))
            if isinstance(event, AudioDelta):
                if not self._stopped.is_set():
                    self._item_id = event.item_id
                    self.player.write(event.delta)
            elif isinstance(event, SpeechStarted):
                await self._interrupt()
            elif isinstance(event, ResponseDone):
                self._received.set()
            elif isinstance(event, Truncated):
                self._truncated.set()

    async def _interrupt(self) -> None:
        if self.player.left_s:
            frames = self.player.stop()
            self._stopped.set()
            await self._send(encode(Truncate(self._item_id, frames // 24)))

    async def reply(self) -> None:
        self._received, self._stopped, self._truncated = asyncio.Event(), asyncio.Event(), asyncio.Event()
        async with microphone(self._hear if self._listens else None):
            await self._socket.send('{"type": "response.create"}')
            await self._received.wait()
            while not self._stopped.is_set() and (left := self.player.left_s):
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopped.wait(), left)
            if self._stopped.is_set():
                await self._truncated.wait()

    async def _hear(self, pcm: bytes) -> None:
        await self._send(encode(Append(pcm)))

    async def _send(self, event: bytes) -> None:
        await self._socket.send(event, text=True)


@asynccontextmanager
async def open_call(url: str, *, read_bytes: int | None, listens: bool) -> AsyncGenerator[FloorCall]:
    async with connect(f"{url}/realtime?model=gpt-realtime", compression=None, max_size=None) as socket:
        if read_bytes and hasattr(socket.transport, "max_size"):  # uvloop reads otherwise
            socket.transport.max_size = read_bytes  # pyright: ignore[reportAttributeAccessIssue] - asyncio's, untyped
        call = FloorCall(socket, listens=listens)
        reading = asyncio.create_task(call.read())
        try:
            yield call
        finally:
            reading.cancel()


if __name__ == "__main__":
    parser = ArgumentParser()
    parser.add_argument("--read-bytes", type=int, help="what asyncio reads at once: 64 KiB, say, instead of its 256")
    parser.add_argument("--microphone", action="store_true", help="20 ms of the user's audio, 50 times a second")
    options = parser.parse_args(sys.argv[3:])
    run(
        partial(open_call, read_bytes=options.read_bytes, listens=options.microphone),
        versions={name: version(name) for name in ("websockets", "msgspec", "uvloop")},
    )
