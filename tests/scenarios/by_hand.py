"""A server that says what a test tells it to, when it does: for orders that no well-behaved server keeps to."""

from base64 import b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import anyio
from msgspec import json

from rtactors.providers.base import Endpoint
from rtactors.transports.base import Socket
from rtactors.transports.memory import MemorySocket, socket_pair

Json: TypeAlias = dict[str, Any]
"""An event, or a part of one, as it stands on the wire."""

CALL: Json = {"id": "item_call", "type": "function_call", "call_id": "call_1", "name": "pay", "arguments": "{}"}
MESSAGE: Json = {"id": "item_message", "type": "message", "role": "assistant", "content": []}


class ServerByHand:
    """One connection, which is set up at once. Everything else is up to the test."""

    def __init__(self) -> None:
        self.socket: MemorySocket

    @asynccontextmanager
    async def connect(self, _endpoint: Endpoint) -> AsyncGenerator[Socket]:
        ours, self.socket = socket_pair(capacity=512)
        await self.say("session.created", session={"id": "sess_1"})
        await self.say("session.updated", session={"id": "sess_1"})
        yield ours

    async def say(self, event_type: str, **fields: Any) -> None:
        event = {"type": event_type, "event_id": "event_x", **fields}
        await self.socket.send(json.encode(event).decode())

    async def begin(self, request: Json, response_id: str = "resp_1") -> None:
        """Answer a `response.create` with a response in the conversation."""
        metadata = request["response"]["metadata"]
        response = {"id": response_id, "status": "in_progress", "conversation_id": "conv_1", "metadata": metadata}
        await self.say("response.created", response=response)

    async def announce(self, item: Json, response_id: str = "resp_1") -> None:
        """A response begins an item, which the conversation holds."""
        item = {**item, "status": "in_progress"}
        await self.say("response.output_item.added", response_id=response_id, output_index=0, item=item)
        await self.say("conversation.item.added", item=item)

    async def speak(self, ms: int) -> None:
        """Audio of `MESSAGE`."""
        delta = b64encode(b"\1\0" * 24 * ms).decode()
        where: Json = {"response_id": "resp_1", "item_id": MESSAGE["id"], "output_index": 0, "content_index": 0}
        await self.say("response.output_audio.delta", **where, delta=delta)

    async def refuse(self, refused: Json) -> None:
        error = {"type": "invalid_request_error", "code": "invalid_value", "message": "No.", "param": None}
        await self.say("error", error={**error, "event_id": refused["event_id"]})

    async def receive(self, event_type: str) -> Json:
        """The next event of this type; what comes before it is passed over."""
        while (event := json.decode(await self.socket.receive()))["type"] != event_type:
            pass
        return event

    async def take(self) -> list[Json]:
        """What has come and was not received yet. Some (virtual) time passes."""
        taken: list[Json] = []
        with anyio.move_on_after(0.1):
            while True:
                taken.append(json.decode(await self.socket.receive()))
        return taken
