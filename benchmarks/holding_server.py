"""A server in memory whose own cost does not grow: it takes items, cuts and deletes them, and answers at once.

The embedded provider keeps a whole conversation, shows it to its script and counts its tokens, and so costs more the
longer it is. This one knows what it holds by id alone: what grows with a history is then the client's.
"""

import base64
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import anyio
from msgspec import json

from rtactors.providers.base import Endpoint
from rtactors.transports.base import Socket, SocketClosed
from rtactors.transports.memory import MemorySocket, socket_pair

Event: TypeAlias = dict[str, Any]

BYTES_PER_MS = 48
"""Of PCM16 at 24 kHz."""
_TEXT = "One two three."
_SESSION = {"type": "realtime", "object": "realtime.session", "id": "sess_1"}


class HoldingServer:
    """Each response has so many `messages` of so many `deltas` of audio, `delta_ms` long; behind them, `calls`."""

    def __init__(self, *, messages: int = 1, calls: int = 0, deltas: int = 5, delta_ms: int = 20) -> None:
        self.messages = messages
        self.calls = calls
        self.deltas = deltas
        self.delta_ms = delta_ms
        self.silent = False
        """While it is, it holds what it is told, and answers when it is to `answer_late`."""
        self.held: dict[str, int | None] = {}
        """What the newest connection holds: to how many ms each item was cut, if it was."""
        self.received: list[str] = []
        """The types of what came from the client, on all connections."""
        self._unsaid: list[Event] = []
        self._responses = 0
        self._newest: MemorySocket

    @property
    def audio_ms(self) -> int:
        """Of a response."""
        return self.messages * self.deltas * self.delta_ms

    def drop(self) -> None:
        """Let the network break the newest connection."""
        self._newest.drop()

    async def answer_late(self) -> None:
        """Be silent no longer."""
        self.silent = False
        for answer in self._unsaid:
            await self._newest.send(_frame(answer))
        self._unsaid.clear()

    @asynccontextmanager
    async def connect(self, _endpoint: Endpoint) -> AsyncGenerator[Socket]:
        """A `rtactors.transports.base.Connect`."""
        client, self._newest = socket_pair()
        self.held = {}
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._serve, self._newest)
            try:
                yield client
            finally:
                with anyio.CancelScope(shield=True):
                    await client.close()
                tasks.cancel_scope.cancel()

    async def _serve(self, socket: MemorySocket) -> None:
        try:
            await socket.send(_frame({"type": "session.created", "session": _SESSION}))
            while True:
                event = json.decode(await socket.receive())
                self.received.append(event["type"])
                for answer in self._answers(event):
                    await socket.send(_frame(answer))
        except SocketClosed:
            pass

    def _answers(self, event: Event) -> Iterator[Event]:
        match event:
            case {"type": "session.update"}:
                yield {"type": "session.updated", "session": _SESSION}
            case {"type": "response.create"}:
                yield from self._response(event["response"]["metadata"])
            case _:
                for answer in self._about_items(event):
                    if self.silent:
                        self._unsaid.append(answer)
                    else:
                        yield answer

    def _about_items(self, event: Event) -> Iterator[Event]:
        match event:
            case {"type": "conversation.item.create", "item": item}:
                self.held[item["id"]] = None
                told = {"previous_item_id": event.get("previous_item_id"), "item": item}
                yield {"type": "conversation.item.added", **told}
                yield {"type": "conversation.item.done", **told}
            case {"type": "conversation.item.delete", "item_id": item_id}:
                del self.held[item_id]
                yield {"type": "conversation.item.deleted", "item_id": item_id}
            case {"type": "conversation.item.truncate", "item_id": item_id, "audio_end_ms": end_ms}:
                self.held[item_id] = end_ms
                cut = {"item_id": item_id, "content_index": 0, "audio_end_ms": end_ms}
                yield {"type": "conversation.item.truncated", **cut}
            case _:
                pass

    def _response(self, metadata: object) -> Iterator[Event]:
        self._responses += 1
        id = f"resp_{self._responses}"
        response: Event = {"id": id, "status": "in_progress", "metadata": metadata, "output": []}
        yield {"type": "response.created", "response": response}
        messages = [_message(f"item_{id}_{number}") for number in range(self.messages)]
        output = messages + [_call(f"call_{id}_{number}") for number in range(self.calls)]
        for index, item in enumerate(output):
            self.held[item["id"]] = None
            place = {"response_id": id, "output_index": index}
            begun: Event = {**item, "status": "in_progress", "content": []}
            yield {"type": "response.output_item.added", **place, "item": begun}
            yield {"type": "conversation.item.added", "previous_item_id": None, "item": begun}
            if index < self.messages:
                yield from self._speech({**place, "item_id": item["id"], "content_index": 0})
            yield {"type": "conversation.item.done", "previous_item_id": None, "item": item}
            yield {"type": "response.output_item.done", **place, "item": item}
        yield {"type": "response.done", "response": {**response, "status": "completed", "output": output}}

    def _speech(self, place: Event) -> Iterator[Event]:
        audio = base64.b64encode(bytes(self.delta_ms * BYTES_PER_MS)).decode()
        for _ in range(self.deltas):
            yield {"type": "response.output_audio.delta", **place, "delta": audio}
        yield {"type": "response.output_audio.done", **place}
        yield {"type": "response.output_audio_transcript.done", **place, "transcript": _TEXT}


def _message(id: str) -> Event:
    content = [{"type": "output_audio", "transcript": _TEXT}]
    return {"id": id, "type": "message", "role": "assistant", "content": content}


def _call(id: str) -> Event:
    return {"id": f"item_{id}", "type": "function_call", "call_id": id, "name": "f", "arguments": "{}"}


def _frame(event: Event) -> str:
    return json.encode(event).decode()
