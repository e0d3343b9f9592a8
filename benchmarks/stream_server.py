"""A server for benchmarks: answers as OpenAI Realtime does, with one message of PCM16 at its own pace.

A process of its own, so that its CPU time is not counted with the client's: started with how many pieces of audio a
message has, it prints its port, and ends when its standard input is closed. One response runs at a time per connection.
It is no test double: it knows only as much of the protocol as a client that listens to a whole message needs.
"""

import asyncio
import base64
import itertools
import json
import random
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

PIECE_MS = 20
FRAMES = 24 * PIECE_MS  # 24 kHz
AUDIO = base64.b64encode(random.Random(1).randbytes(2 * FRAMES)).decode()  # noise: nothing about it compresses

Event = Mapping[str, Any]


def opening(response: Event, item: Event) -> Iterator[Event]:
    part = {"response_id": response["id"], "item_id": item["id"], "output_index": 0, "content_index": 0}
    yield {"type": "response.created", "response": {**response, "status": "in_progress", "output": []}}
    started: Event = {**item, "status": "in_progress", "content": []}
    yield {"type": "response.output_item.added", "response_id": response["id"], "output_index": 0, "item": started}
    yield {"type": "conversation.item.added", "previous_item_id": None, "item": started}
    yield {"type": "response.content_part.added", **part, "part": {"type": "audio", "transcript": ""}}


def ending(response: Event, item: Event) -> Iterator[Event]:
    part = {"response_id": response["id"], "item_id": item["id"], "output_index": 0, "content_index": 0}
    transcript = item["content"][0]["transcript"]
    yield {"type": "response.output_audio.done", **part}
    yield {"type": "response.output_audio_transcript.done", **part, "transcript": transcript}
    yield {"type": "response.content_part.done", **part, "part": {"type": "audio", "transcript": transcript}}
    yield {"type": "conversation.item.done", "previous_item_id": None, "item": item}
    yield {"type": "response.output_item.done", "response_id": response["id"], "output_index": 0, "item": item}
    yield {"type": "response.done", "response": {**response, "status": "completed", "output": [item]}}


class Conversation:
    """One connection."""

    numbers = itertools.count()

    def __init__(self, connection: ServerConnection, pieces: int) -> None:
        self.connection = connection
        self.pieces = pieces
        self.number = next(self.numbers)
        self.ids = itertools.count()

    async def run(self) -> None:
        session: Event = {"type": "realtime", "object": "realtime.session", "id": f"sess_{self.number}"}
        await self.send({"type": "session.created", "session": session})
        async for frame in self.connection:
            event = json.loads(frame)
            match event["type"]:
                case "session.update":
                    await self.send({"type": "session.updated", "session": {**session, **event["session"]}})
                case "conversation.item.create":
                    item = {"status": "completed", **event["item"]}
                    await self.send({"type": "conversation.item.added", "previous_item_id": None, "item": item})
                    await self.send({"type": "conversation.item.done", "previous_item_id": None, "item": item})
                case "response.create":
                    await self.respond(event.get("response", {}).get("metadata"))
                case _:
                    pass

    async def send(self, event: Event) -> None:
        await self.connection.send(json.dumps({"event_id": f"event_{next(self.ids)}", **event}))

    async def respond(self, metadata: Event | None) -> None:
        number = next(self.ids)
        response = {"object": "realtime.response", "id": f"resp_{number}", "metadata": metadata, "usage": None}
        item = {
            "id": f"item_{number}",
            "object": "realtime.item",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_audio", "transcript": "One two three."}],
        }
        for event in opening(response, item):
            await self.send(event)
        part = {"response_id": response["id"], "item_id": item["id"], "output_index": 0, "content_index": 0}
        loop = asyncio.get_running_loop()
        # Streams start anywhere within a piece, so that they don't all arrive at the same moment.
        start = loop.time() + (self.number * 0.618 % 1) * PIECE_MS / 1000
        for piece in range(self.pieces):
            await asyncio.sleep(start + piece * PIECE_MS / 1000 - loop.time())
            await self.send({"type": "response.output_audio.delta", **part, "delta": AUDIO})
        for event in ending(response, item):
            await self.send(event)


async def main(pieces: int) -> None:
    async def converse(connection: ServerConnection) -> None:
        await Conversation(connection, pieces).run()

    async with serve(converse, "127.0.0.1", 0, compression=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
