"""Every moment of a response of three messages, and always the invariants hold.

In virtual time: each tenth of a second, and where one message ends and the next begins, to a ms. What may happen
besides, at any moment and in any order, with anything going wrong, is for `tests/testing/test_simulation.py`.
"""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import anyio
import pytest

from rtactors import SessionClosed
from rtactors.loopback.script import Timing, replies
from rtactors.sinks import PacedSink
from rtactors.testing.clock import BackendName, run_virtual
from rtactors.testing.conversation import AT_ONCE, Conversation, conversation

TEXTS = ("The first message of three.", "The second message, a bit longer than that.", "And the third.")
START_MS = 130
"""From the question to the first audio, at the default timing."""
LENGTHS_MS = [len(text) * 60 for text in TEXTS]
BOUNDARIES_MS = [START_MS + sum(LENGTHS_MS[:count]) for count in range(4)]
EXACTLY = [ms / 1000 + by for ms in BOUNDARIES_MS for by in (-0.001, 0, 0.001)]
MOMENTS = sorted([*(tenth / 10 for tenth in range(56)), *EXACTLY])

Scene: TypeAlias = Callable[[Conversation], Awaitable[None]]


async def _speak(talk: Conversation) -> None:
    await talk.speak()
    await talk.session.quiet()


async def _interrupt(talk: Conversation) -> None:
    await talk.session.interrupt()
    await talk.session.quiet()


async def _leave(_talk: Conversation) -> None:
    """The app has had enough."""


async def _hang_up(talk: Conversation) -> None:
    await talk.wire.close(1001, "Your session hit the maximum duration of 60 minutes.")
    await anyio.sleep_forever()


async def converse(scene: Scene, at: float) -> None:
    raises = (SessionClosed,) if scene is _hang_up else ()
    async with conversation(
        replies(TEXTS),
        sink=PacedSink(),
        reconnect=None if raises else AT_ONCE,
        raises=raises,
        timing=Timing(delta_ms=100),
    ) as talk:
        await talk.ask()
        await anyio.sleep(at)
        await scene(talk)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("scene", [_speak, _interrupt, _leave, _hang_up], ids=lambda scene: scene.__name__[1:])
def test_at_every_moment(scene: Scene, backend: BackendName) -> None:
    for number, at in enumerate(MOMENTS):
        run_virtual(converse, scene, at, backend=backend, seed=number)
