"""What a piece of audio costs between the socket and the sink, without a network: for looking at changes on that way.

    python benchmarks/audio_path.py [--profile]

One session gets one delta of 20 ms in each pass of the loop. It is measured with warm caches, and with ones that
something else has used in between, as it is at the pace of speech; and so is the floor, decoding and keeping it.
What a call costs in all is for `measures/cpu.py` to say; this is less noisy, and looks at less.
"""

import argparse
import asyncio
import base64
import cProfile
import json
import os
import pstats
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from statistics import median
from typing import Any

import anyio
from msgspec import Struct
from msgspec.json import Decoder

from rtactors import Session
from rtactors.providers import OpenAIRealtime
from rtactors.providers.base import Endpoint, Frame
from rtactors.sinks import MemorySink
from rtactors.transports.base import Socket

ROUNDS, EVENTS = 10, 400
COLD_BYTES = 8 * 2**20
PART = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}
DELTA = {"type": "response.output_audio.delta", **PART, "delta": base64.b64encode(os.urandom(960)).decode()}
ITEM: dict[str, Any] = {"id": "item_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
OPENING: tuple[dict[str, Any], ...] = (
    {"type": "session.created", "session": {"id": "sess_1"}},
    {"type": "session.updated", "session": {"id": "sess_1"}},
    {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress", "output": []}},
    {"type": "response.output_item.added", "response_id": "resp_1", "output_index": 0, "item": ITEM},
    {"type": "conversation.item.added", "previous_item_id": None, "item": ITEM},
)


class ScriptedSocket:
    """A socket to a server that says what it is given to say, and hears nothing."""

    def __init__(self) -> None:
        self._frames: asyncio.Queue[Frame] = asyncio.Queue()

    def say(self, event: dict[str, Any]) -> None:
        self._frames.put_nowait(json.dumps({"event_id": "event_1", **event}))

    async def send(self, frame: Frame) -> None:
        pass

    async def receive(self) -> Frame:
        return await self._frames.get()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        pass


class CountingSink(MemorySink):
    """Notes how many pieces it was given, and plays none."""

    def __init__(self) -> None:
        super().__init__(hold=True)
        self.count = 0

    def write(self, message_id: str, pcm: bytes) -> None:  # noqa: ARG002 - there is one message
        self.count += 1


class Delta(Struct, tag_field="type", tag="response.output_audio.delta"):
    delta: bytes


async def measure(socket: ScriptedSocket, count: Callable[[], int], evict: Callable[[], object]) -> float:
    """Of one event, in us; the slowest twentieth, in which the machine did something else, is left out."""
    took: list[int] = []
    for _ in range(EVENTS):
        evict()
        before, start = count(), time.perf_counter_ns()
        socket.say(DELTA)
        while count() == before:  # noqa: ASYNC110 - to see what a pass of the loop costs
            await asyncio.sleep(0)
        took.append(time.perf_counter_ns() - start)
    fastest = sorted(took)[: EVENTS * 19 // 20]
    return sum(fastest) / len(fastest) / 1000


async def main(*, profile: bool) -> None:
    import numpy as np

    ours, floors, sink = ScriptedSocket(), ScriptedSocket(), CountingSink()
    kept: list[bytes] = []
    cold = np.zeros(COLD_BYTES // 8)

    @asynccontextmanager
    async def connect(_endpoint: Endpoint) -> AsyncGenerator[Socket]:
        yield ours

    async def floor() -> None:
        decode = Decoder(Delta).decode
        while True:
            kept.append(decode(await floors.receive()).delta)

    for event in OPENING:
        ours.say(event)
    floor_task = asyncio.create_task(floor())
    async with Session(OpenAIRealtime(api_key="none"), sink=sink, connect=connect) as session:
        sides: dict[str, tuple[ScriptedSocket, Callable[[], int]]] = {
            "rtactors": (ours, lambda: sink.count),
            "floor": (floors, lambda: len(kept)),
        }
        for temperature, evict in (("warm", bool), ("cold", lambda: np.add(cold, 1, out=cold))):
            took = {name: [await measure(*side, evict) for _ in range(ROUNDS)] for name, side in sides.items()}
            print(temperature, *(f"{name} {median(times):.1f} us an event" for name, times in took.items()), sep="  ")
        if profile:
            with cProfile.Profile() as profiler:
                await measure(*sides["rtactors"], bool)
            pstats.Stats(profiler).sort_stats("tottime").print_stats(30)
        floor_task.cancel()
        await session.interrupt()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", action="store_true", help="say where the time goes")
    anyio.run(lambda: main(profile=parser.parse_args().profile))
