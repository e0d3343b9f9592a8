"""The smallest client: JSON in, JSON out. It shares nothing with the server or with our own adapter."""

import base64
import json
import math
from array import array
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from rtactors.loopback.server import MemoryServer
from rtactors.providers.base import Endpoint
from rtactors.transports.base import Socket

Json: TypeAlias = dict[str, Any]


class Client:
    """All that came is in `events`; `until` reads on."""

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self.events: list[Json] = []
        self._number = 0

    async def send(self, event_type: str, **fields: Any) -> str:
        """Gives the event's id."""
        self._number += 1
        event = {"type": event_type, "event_id": f"client_{self._number}", **fields}
        await self.socket.send(json.dumps(event))
        return event["event_id"]

    async def receive(self) -> Json:
        event = json.loads(await self.socket.receive())
        self.events.append(event)
        return event

    async def until(self, event_type: str, count: int = 1) -> Json:
        """Read until `count` more events of this type have come; gives the last."""
        while True:
            event = await self.receive()
            if event["type"] == event_type:
                count -= 1
                if not count:
                    return event

    async def say(self, text: str) -> None:
        """The user writes."""
        content = [{"type": "input_text", "text": text}]
        await self.send("conversation.item.create", item={"type": "message", "role": "user", "content": content})

    async def speak(self, pcm: bytes, piece_ms: int = 100) -> None:
        for start in range(0, len(pcm), piece_ms * 48):
            audio = base64.b64encode(pcm[start : start + piece_ms * 48]).decode()
            await self.send("input_audio_buffer.append", audio=audio)

    async def update(self, **session: Any) -> Json:
        await self.send("session.update", session={"type": "realtime", **session})
        return await self.until("session.updated")

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    def find(self, event_type: str) -> list[Json]:
        return [event for event in self.events if event["type"] == event_type]

    def audio(self, item_id: str) -> bytes:
        deltas = self.find("response.output_audio.delta")
        return b"".join(base64.b64decode(delta["delta"]) for delta in deltas if delta["item_id"] == item_id)


@asynccontextmanager
async def connected(server: MemoryServer, model: str = "test-model") -> AsyncGenerator[Client]:
    """A client that has been greeted."""
    async with server.connect(Endpoint(url=f"ws://memory/v1/realtime?model={model}")) as socket:
        client = Client(socket)
        await client.until("session.created")
        yield client


def tone(ms: int, *, hz: float = 220, amplitude: int = 8000) -> bytes:
    """PCM16 at 24 kHz; loud enough to be a voice."""
    return array("h", (round(amplitude * math.sin(math.tau * hz * n / 24_000)) for n in range(ms * 24))).tobytes()


def silence(ms: int) -> bytes:
    return bytes(ms * 48)


def utterance(ms: int = 400) -> bytes:
    """A turn of the user, with the silence that ends it."""
    return silence(300) + tone(ms) + silence(700)
