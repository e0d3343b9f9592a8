"""What an app hands over and can't be used is refused where it does so, in a sentence; and the session goes on."""

import math
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from rtactors import Bounds, ConfigurationError, Deadlines, Interruption, Session, SessionClosed
from rtactors.delegation import Delegate, Work
from rtactors.loopback.script import replies
from rtactors.providers import OpenAIRealtime
from rtactors.sinks import MemorySink
from rtactors.tools.tool import Tool
from tests.scenarios.conftest import Begin


class MyVoice:
    rate = 24_000

    async def speak(self, text: str) -> AsyncIterator[bytes]:
        yield bytes(2 * len(text))


async def plan(work: Work) -> str:
    return work.input


async def plan_in_pieces(work: Work) -> AsyncIterator[str]:
    yield work.input


def look_up(word: str) -> str:
    return word


def shown(value: object) -> str:
    """The same in each process: without where it is in memory."""
    return re.sub(r" at 0x\w+", "", str(value))[:40]


SETTINGS: list[tuple[str, Any, str]] = [
    ("provider", "gpt-realtime", "a provider is an object such as OpenAIRealtime"),
    ("provider", OpenAIRealtime, "a provider is an object such as OpenAIRealtime"),
    ("sink", None, "a sink is an object such as WavSink"),
    ("sink", MemorySink, "a sink is an object such as WavSink"),
    ("tools", None, "a list of functions"),
    ("tools", look_up, "a list of functions"),
    ("tools", "look_up", "a list of functions"),
    ("delegate", plan, r"a delegate is an object such as Delegate\(agent\)"),
    ("interruption_rule", True, "interruption_rule has to be a function"),
    ("connect", "ws://127.0.0.1", "connect has to be a function"),
    ("reconnect", True, "reconnect is an object such as Backoff"),
    ("deadlines", None, "deadlines is an object such as Deadlines"),
    ("bounds", {"calls": 4}, "bounds is an object such as Bounds"),
    ("recorder", "call.jsonl", "a recorder is an object such as Recorder"),
    ("voice", MyVoice, "a voice is an object such as EspeakVoice"),
]


@pytest.mark.parametrize(("name", "value", "told"), SETTINGS, ids=shown)
def test_a_session_of_something_else(name: str, value: object, told: str) -> None:
    given: dict[str, Any] = {"provider": OpenAIRealtime(api_key=""), "sink": MemorySink(), name: value}
    with pytest.raises(TypeError, match=told):
        Session(given.pop("provider"), **given)


def test_a_session_with_a_voice_can_be_made_before_there_is_a_loop() -> None:
    assert Session(OpenAIRealtime(api_key=""), sink=MemorySink(), voice=MyVoice()).agent_state == "initializing"


WRONG: list[tuple[Any, dict[str, Any], str]] = [
    (Interruption, {"enabled": "no"}, "Interruption.enabled is True or False, not 'no'"),
    (Interruption, {"pause": None}, "Interruption.pause is True or False, not None"),
    (Interruption, {"min_speech": "1"}, "Interruption.min_speech is in seconds, a number, not '1'"),
    (Interruption, {"decide": math.inf}, "Interruption.decide is in seconds, 0 or more, not inf"),
    (Interruption, {"min_words": math.nan}, "Interruption.min_words is a number of words, an int, not nan"),
    (Deadlines, {"start": None}, "Deadlines.start is in seconds, a number, not None"),
    (Deadlines, {"start": -1}, "Deadlines.start is in seconds, 0 or more, not -1"),
    (Bounds, {"calls": "8"}, "Bounds.calls is a number, an int, not '8'"),
    (Bounds, {"calls": 0}, "Bounds.calls is 1 or more, not 0"),
    (Delegate, {"agent": plan_in_pieces}, "an agent returns its answer once"),
    (Delegate, {"agent": plan, "grace": "1"}, "a time of grace is a number of seconds, not '1'"),
    (Delegate, {"agent": plan, "grace": math.nan}, "a time of grace is 0 or more seconds, not nan"),
    (Delegate, {"agent": plan, "name": "my agent"}, "a function of the delegate can't be called 'my agent'"),
    (Delegate, {"agent": plan, "name": None}, "a function of the delegate can't be called None"),
    (Delegate, {"agent": plan, "silence": ""}, "a function of the delegate can't be called ''"),
    (Delegate, {"agent": plan, "description": None}, "description has to be a str"),
    (Delegate, {"agent": plan, "unattached": 5}, "unattached has to be a str"),
    (Delegate, {"agent": plan, "tail": 5}, "a tail is an async function"),
    (Tool, {"function": look_up, "name": 5}, "a tool can't be called 5"),
    (Tool, {"function": look_up, "timeout": None}, "the timeout of the tool 'look_up' is None"),
    (Tool, {"function": look_up, "description": "\ud800"}, "the description of the tool .* surrogate"),
]


@pytest.mark.parametrize(("kind", "given", "told"), WRONG, ids=shown)
def test_what_can_not_be(kind: Any, given: dict[str, Any], told: str) -> None:
    with pytest.raises((TypeError, ValueError, ConfigurationError), match=told):
        kind(**given)


REQUESTS: list[tuple[str, dict[str, Any], str]] = [
    ("ask", {"metadata": {str(number): "" for number in range(16)}}, "metadata may hold 15 pairs"),
    ("ask", {"metadata": {"a": "x" * 513}}, "OpenAI takes 512"),
    ("ask", {"metadata": ["a"]}, "metadata is a dict of texts, not list"),
    ("ask", {"out_of_band": True}, "only generate_reply takes out_of_band"),
    ("ask", {"tools": 5}, "a list of functions"),
    ("say", {"tools": [look_up]}, "given words have no tools"),
    ("say", {"instructions": "Loudly."}, "given words have no instructions"),
    ("generate_reply", {"out_of_band": "no"}, "out_of_band is True or False, not 'no'"),
    ("generate_reply", {"out_of_band": True, "input": 5}, "input is a list of Item, not int"),
    ("end_turn", {"metadata": {"rtactors_request": ""}}, "belongs to rtactors"),
]


@pytest.mark.anyio
@pytest.mark.parametrize(("method", "wanted", "told"), REQUESTS, ids=shown)
async def test_a_reply_that_nobody_can_give(begin: Begin, method: str, wanted: dict[str, Any], told: str) -> None:
    words = ("Hello?",) if method in {"ask", "say"} else ()
    async with begin(replies("Yes?")) as talk:
        talk.sink.play_all()
        with pytest.raises((TypeError, ConfigurationError), match=told):
            await getattr(talk.session, method)(*words, **wanted)
        reply = await talk.ask()
        assert [message.heard_text for message in await reply.done()] == ["Yes?"]


@pytest.mark.anyio
async def test_quiet_before_it_is_open() -> None:
    with pytest.raises(SessionClosed, match="use it inside `async with`"):
        await Session(OpenAIRealtime(api_key=""), sink=MemorySink()).quiet()
