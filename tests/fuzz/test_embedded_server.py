"""The embedded server and clients gone mad: what is wrong is answered with an error, and the server lives."""

import json
from typing import Any

import anyio
from hypothesis import given
from hypothesis import strategies as st

from rtactors.loopback.script import IMMEDIATE, Timing, replies
from rtactors.loopback.server import MemoryServer
from rtactors.providers.base import Endpoint
from rtactors.testing.clock import BackendName, Deadlock, run_virtual
from rtactors.transports.base import Socket
from tests.fuzz.grammar import EVENTS_OF_A_CLIENT, Frame, Sent, frames
from tests.fuzz.inputs import count, inputs

ENDPOINT = Endpoint(url="ws://memory/v1/realtime?model=m")
FRAMES = st.lists(frames(EVENTS_OF_A_CLIENT, valid=4, wrong=3), min_size=5, max_size=40)


async def exchange(socket: Socket, given: list[Frame]) -> list[dict[str, Any]]:
    """Send these; gives what is answered until a while after."""
    answers: list[dict[str, Any]] = []

    async def listen() -> None:
        while True:
            answers.append(json.loads(await socket.receive()))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listen)
        for frame in given:
            await socket.send(frame)
        await anyio.sleep(120)
        tasks.cancel_scope.cancel()
    return answers


async def talk(sent: list[Sent], timing: Timing) -> None:
    async with MemoryServer(replies("Well.", ["Hm.", "So."]), timing=timing) as server:
        async with server.connect(ENDPOINT) as socket:
            answers = await exchange(socket, [each.frame for each in sent])
            for each in answers:
                assert isinstance(each["type"], str)
                count("the server's answers", "error" if each["type"] == "error" else "event")
            update = {"type": "session.update", "session": {"type": "realtime", "output_modalities": ["audio"]}}
            answers = await exchange(socket, [json.dumps(update), '{"type": "response.create"}'])
            assert {"session.updated", "response.done"} <= {each["type"] for each in answers}
        async with server.connect(ENDPOINT) as socket:  # and serves others
            assert [each["type"] for each in await exchange(socket, [])] == ["session.created"]


@inputs(150, share=0.05)
@given(FRAMES, st.sampled_from((IMMEDIATE, Timing())), st.sampled_from(("asyncio", "trio")))
def test_a_client_gone_mad(sent: list[Sent], timing: Timing, backend: BackendName) -> None:
    count("a client's frames", *(each.kind for each in sent))
    try:
        run_virtual(talk, sent, timing, backend=backend, seed=0)
    except Deadlock as deadlock:
        raise AssertionError(str(deadlock)) from None
