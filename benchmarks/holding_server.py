"""A server in memory whose own cost does not grow: it takes items, cuts and deletes them, and answers at once.

The embedded provider keeps a whole conversation, gives it to its script and counts its tokens, and so costs more the
longer it is. This one knows what it holds by id alone, so that what grows with a history is the client's.
"""

import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from msgspec import json

from rtactors.providers.base import Endpoint
from rtactors.transports.base import Socket, SocketClosed
from rtactors.transports.memory import MemorySocket, socket_pair

_BYTES_PER_MS = 48  # PCM16, 24 kHz
_TEXT = "One two three."
_FEW_FRAMES = 64


class HoldingServer:
    """Each response has so many `messages` of so many `deltas` of audio, `delta_ms` long, or else `calls`."""

    def __init__(self, *, messages: int = 1, deltas: int = 5, delta_ms: int = 20) -> None:
        self.messages = messages
        self.calls = 0
        self.deltas = deltas
        self.delta_ms = delta_ms
        self.held: dict[str, int | None] = {}
        """What the newest connection holds: to how many ms each item was cut, if it was."""
        self.received: list[str] = []
        """The types of what came from the client, on all connections."""
        self.connections: list[MemorySocket] = []
        self._count = 0
        self._audio = base64.b64encode(bytes(delta_ms * _BYTES_PER_MS)).decode()

    @asynccontextmanager
    async def connect(self, endpoint: Endpoint) -> AsyncGenerator[Socket]:
        """A `rtactors.transports.base.Connect`."""
        del endpoint
        client, ours = socket_pair(_FEW_FRAMES)
        self.connections.append(ours)
        self.held = {}
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._serve, ours)
            try:
                yield client
            finally:
                with anyio.CancelScope(shield=True):
                    await client.close()
                tasks.cancel_scope.cancel()

    async def _serve(self, socket: MemorySocket) -> None:
        try:
            await _send(socket, {"type": "session.created", "session": _SESSION})
            while True:
                event = json.decode(await socket.receive())
                self.received.append(event["type"])
                for answer in self._answers(event):
                    await _send(socket, answer)
        except SocketClosed:
            pass

    def _answers(self, event: dict[str, Any]) -> list[dict[str, Any]]:
        match event:
            case {"type": "session.update"}:
                return [{"type": "session.updated", "session": _SESSION}]
            case {"type": "conversation.item.create", "item": item}:
                self.held[item["id"]] = None
                told = {"previous_item_id": event.get("previous_item_id"), "item": item}
                return [{"type": "conversation.item.added", **told}, {"type": "conversation.item.done", **told}]
            case {"type": "conversation.item.delete", "item_id": id}:
                del self.held[id]
                return [{"type": "conversation.item.deleted", "item_id": id}]
            case {"type": "conversation.item.truncate", "item_id": id, "audio_end_ms": end_ms}:
                self.held[id] = end_ms
                cut = {"item_id": id, "content_index": 0, "audio_end_ms": end_ms}
                return [{"type": "conversation.item.truncated", **cut}]
            case {"type": "response.create"}:
                return self._response(event.get("response", {}).get("metadata"))
            case _:
                return []

    def _response(self, metadata: object) -> list[dict[str, Any]]:
        self._count += 1
        id = f"resp_{self._count}"
        response = {"id": id, "status": "in_progress", "metadata": metadata, "output": []}
        told: list[dict[str, Any]] = [{"type": "response.created", "response": response}]
        output: list[dict[str, Any]] = []
        for index in range(self.calls or self.messages):
            item = self._call(id, index) if self.calls else self._message(id, index)
            self.held[item["id"]] = None
            place = {"response_id": id, "output_index": index}
            begun = {**item, "status": "in_progress", "content": []}
            told.append({"type": "response.output_item.added", **place, "item": begun})
            told.append({"type": "conversation.item.added", "previous_item_id": None, "item": begun})
            if not self.calls:
                told += self._speech({**place, "item_id": item["id"], "content_index": 0})
            told.append({"type": "conversation.item.done", "previous_item_id": None, "item": item})
            told.append({"type": "response.output_item.done", **place, "item": item})
            output.append(item)
        told.append({"type": "response.done", "response": {**response, "status": "completed", "output": output}})
        return told

    def _speech(self, place: dict[str, Any]) -> list[dict[str, Any]]:
        deltas = [{"type": "response.output_audio.delta", **place, "delta": self._audio}] * self.deltas
        return [
            *deltas,
            {"type": "response.output_audio.done", **place},
            {"type": "response.output_audio_transcript.done", **place, "transcript": _TEXT},
        ]

    def _message(self, response_id: str, index: int) -> dict[str, Any]:
        content = [{"type": "output_audio", "transcript": _TEXT}]
        return {"id": f"item_{response_id}_{index}", "type": "message", "role": "assistant", "content": content}

    def _call(self, response_id: str, index: int) -> dict[str, Any]:
        id = f"{response_id}_{index}"
        return {"id": f"item_{id}", "type": "function_call", "call_id": f"call_{id}", "name": "f", "arguments": "{}"}


_SESSION = {"type": "realtime", "object": "realtime.session", "id": "sess_1"}


async def _send(socket: MemorySocket, event: dict[str, Any]) -> None:
    await socket.send(json.encode(event).decode())
