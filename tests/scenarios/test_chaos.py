"""Networks that fail, over real sockets: the record is as heard, the app is told, and whatever is waited for ends."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

import anyio
import pytest

from rtactors import ConnectionFailed, Deadlines, Session, SessionClosed
from rtactors.errors import RtactorsError
from rtactors.loopback.script import Gate, Say, Timing, replies
from rtactors.loopback.server import Server
from rtactors.loopback.voice import ToneVoice
from rtactors.providers import OpenAIRealtime
from rtactors.sinks import MemorySink, PacedSink
from rtactors.testing.chaos import MUTE, ChaosProxy, Conditions, Cut, Fault, Kind, Plan, Way, weather
from rtactors.testing.conversation import Conversation, conversation, speech
from tests.scenarios.test_interruption import FIRST, SECOND, THREE, length

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]

QUICK = Deadlines(keepalive=0.2, close=0.3, connect=2)
"""So that a network that says nothing is found out within half a second."""


def always(conditions: Conditions) -> Plan:
    return lambda _number: conditions


SLOW = Conditions(up=Way(latency_ms=40, jitter_ms=40), down=Way(latency_ms=60, jitter_ms=60))
NARROW = Conditions(up=Way(bytes_per_s=50_000), down=Way(bytes_per_s=400_000))

# ------------------------------------------------------------------------------------------------- slow, yet it works


@pytest.mark.parametrize("conditions", [SLOW, NARROW], ids=["slow", "narrow"])
async def test_barge_in_over_a_bad_network(conditions: Conditions) -> None:
    async with conversation(THREE, chaos=always(conditions)) as talk:
        await talk.ask()
        await talk.sink.play(600)
        await talk.speak()
        await talk.session.quiet()
        (message,) = talk.said()
        assert (message.heard_ms, message.interrupted) == (600, True)
        assert talk.held() == talk.heard() == [(message.id, 600)]
        assert talk.proxy.counts["delay"]
