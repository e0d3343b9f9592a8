"""The examples of the page on interruption run."""

import re
from pathlib import Path
from typing import Any

import pytest

from rtactors.interruption import NEVER
from rtactors.loopback.script import IMMEDIATE, replies
from rtactors.loopback.server import Server
from rtactors.loopback.voice import ToneVoice
from rtactors.providers import OpenAIRealtime
from rtactors.session_events import MessageAnnounced
from rtactors.sinks import MemorySink
from rtactors.testing.conversation import speech
from tests.scenarios.conftest import Begin

pytestmark = pytest.mark.anyio

PAGE = (Path(__file__).parents[2] / "docs" / "interruption.md").read_text(encoding="utf-8")


@pytest.fixture
def example() -> dict[str, Any]:
    names: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(code, names)
    return names


@pytest.mark.sockets
async def test_a_careful_session(example: dict[str, Any]) -> None:
    async with Server(replies("Once upon a time.", "It costs more."), voice=ToneVoice(), timing=IMMEDIATE) as server:
        provider = OpenAIRealtime(api_key="", websocket_base_url=server.url)
        await example["careful"](provider, MemorySink())
        (wire,) = server.sessions
        assert [item.text for item in wire.items if item.role == "assistant"] == ["Once upon a time.", "It costs more."]


def test_a_rule(example: dict[str, Any]) -> None:
    example["with_a_rule"](OpenAIRealtime(api_key=""), MemorySink())
    announced = [MessageAnnounced("a", "b", phase, 0.0) for phase in ("commentary", "final_answer", None)]
    assert [example["rule"](each) for each in announced] == [NEVER, None, None]


async def test_a_button(begin: Begin, example: dict[str, Any]) -> None:
    async with begin(replies("Yes."), provider={"turn_detection": None}) as talk:
        talk.sink.play_all()
        reply = await example["button"](talk.session, speech(300))
        assert [message.heard_text for message in await reply.done()] == ["Yes."]
        await talk.session.quiet()
