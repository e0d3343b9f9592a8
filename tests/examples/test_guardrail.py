"""The guardrail where it gets difficult: a message that breaks off, an interruption, a judge that takes its time."""

import importlib.util
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import pytest

from rtactors.loopback.script import Gate, Say, replies
from rtactors.pipeline import Pipeline
from rtactors.testing.conversation import conversation

pytestmark = pytest.mark.anyio

GOOD, BAD = "This is quite harmless.", "Take ten tablets of it."


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[2] / "examples" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def judge(text: str) -> bool:
    await anyio.sleep(0.2)
    return "tablets" not in text


GUARDED: dict[str, Any] = {"pipeline": Pipeline(message=(partial(example("guardrail").Guardrail, judge=judge),))}


async def test_only_those_that_are_allowed_are_heard() -> None:
    async with conversation(replies([GOOD, BAD, GOOD], "Instead."), session=GUARDED) as talk:
        talk.sink.play_all()
        await talk.ask()
        await talk.session.quiet()
        assert [item.heard_text for item in talk.said()] == [GOOD, GOOD, "Instead."]


async def test_one_that_breaks_off_is_judged_too() -> None:
    """Else it would hold the floor for ever."""
    gate = Gate()
    async with conversation(replies([Say(text=GOOD, gate=gate, gate_ms=600)], "The rest."), session=GUARDED) as talk:
        talk.sink.play_all()
        reply = await talk.ask()
        await gate.reached.wait()
        await talk.wire.close(1001, "Your session hit the maximum duration of 60 minutes.")
        assert [item.heard_text for item in await reply.done()] == ["This is", "The rest."]


async def test_an_interruption_does_not_wait_for_the_judge() -> None:
    async with conversation(replies([GOOD]), session=GUARDED) as talk:
        reply = await talk.ask()
        await talk.reaches("response", "finishing")
        await talk.session.interrupt()
        with anyio.fail_after(0.1):
            assert await reply.done() == []
