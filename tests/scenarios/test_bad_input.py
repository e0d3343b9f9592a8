"""Servers that break off, at any event and at any byte, and frames that are not what they should be."""

import base64
import json
from itertools import cycle
from typing import Any

import anyio
import pytest

from rtactors import ConnectionFailed, SessionClosed
from rtactors.loopback.faults import ALWAYS, Faults, close, cut, drop, edit, inject
from rtactors.loopback.script import Gate, Say, replies
from rtactors.session_events import ConnectionChanged, Problem
from rtactors.testing.conversation import Conversation
from rtactors.testing.wire_story import WireStory
from tests.scenarios.conftest import Begin
from tests.scenarios.test_interruption import FIRST, SECOND, THIRD, THREE, length

pytestmark = pytest.mark.anyio

REASON = "Your session hit the maximum duration of 60 minutes."
ONCE = ("response.created", "response.done", "rate_limits.updated")
EACH = (
    "conversation.item.added",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_audio_transcript.delta",
    "response.output_audio.delta",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
)
MOMENTS = [*((event, 1) for event in ONCE), *((event, nth) for event in EACH for nth in (1, 2, 3))]


def received(talk: Conversation) -> list[tuple[str, int]]:
    """Of which messages there was how much audio, in ms."""
    messages = WireStory(talk.log.records).messages.values()
    return [(message.id, message.frames // 24) for message in messages if message.frames]


@pytest.mark.parametrize(("event", "nth"), MOMENTS)
async def test_server_hangs_up_at_any_event(begin: Begin, event: str, nth: int) -> None:
    """What was received is heard to its end; then the session ends with the server's reason."""
    faults = Faults(close(event, code=1001, reason=REASON, nth=nth))
    async with begin(THREE, faults=faults, reconnect=None, raises=(SessionClosed,)) as talk:
        await talk.ask()
        await talk.reaches("connection", "closed")
        talk.sink.play_all()
        await anyio.sleep_forever()
    assert REASON in str(talk.failure)
    assert talk.heard() == received(talk) == [(message.id, message.heard_ms) for message in talk.said()]


@pytest.mark.parametrize("at_byte", [0, 1, 100, 1000])
@pytest.mark.parametrize("event", ["response.created", "response.output_audio.delta", "response.done"])
async def test_network_breaks_at_any_byte(begin: Begin, event: str, at_byte: int) -> None:
    faults = Faults(cut(event, at_byte=at_byte, nth=1 if event in ONCE else 40))
    async with begin(THREE, faults=faults, reconnect=None, raises=(SessionClosed,)) as talk:
        await talk.ask()
        await talk.reaches("connection", "closed")
        talk.sink.play_all()
        await anyio.sleep_forever()
    assert talk.heard() == [(message.id, message.heard_ms) for message in talk.said()]
    for (message_id, heard_ms), (sent_id, sent_ms) in zip(talk.heard(), received(talk), strict=False):
        assert (message_id, heard_ms <= sent_ms) == (sent_id, True)


async def test_server_hangs_up_while_a_message_plays(begin: Begin) -> None:
    """Which plays on. Interrupted now, it ends where it was stopped, here."""
    async with begin(THREE, reconnect=None, raises=(SessionClosed,)) as talk:
        await talk.ask()
        await talk.sink.play(300)
        await talk.reaches("response", "finishing")
        await talk.wire.close(1001, REASON)
        closed = await talk.reaches("connection", "closed")
        assert closed
        await talk.sink.play(400)
        with pytest.raises(SessionClosed, match="maximum duration"):
            await talk.session.ask("Are you there?")
        await talk.session.interrupt()
        await anyio.sleep_forever()
    (message,) = talk.said()
    assert talk.heard() == [(message.id, 700)]
    assert (message.heard_ms, message.interrupted) == (700, True)


async def test_server_hangs_up_in_a_pause(begin: Begin) -> None:
    """A pause is the app's: it may end it, and what there is is heard."""
    async with begin(THREE, reconnect=None, raises=(SessionClosed,)) as talk:
        await talk.ask()
        await talk.sink.play(300)
        await talk.session.pause()
        await talk.reaches("message", "paused")
        await talk.reaches("response", "finishing")
        await talk.wire.close(1001, REASON)
        await talk.reaches("connection", "closed")
        await talk.time_passes(100)
        talk.sink.play_all()
        await talk.session.unpause()
        await anyio.sleep_forever()
    assert talk.heard() == received(talk)


@pytest.mark.parametrize("event", ["session.created", "session.updated"])
async def test_server_hangs_up_before_it_is_ready(begin: Begin, event: str) -> None:
    with pytest.raises(ConnectionFailed, match="maximum duration"):
        async with begin(THREE, faults=Faults(close(event, code=1001, reason=REASON))):
            pass


@pytest.mark.parametrize("what", [{"type": 7}, {"type": "response.output_audio.delta"}, {"type": "session.novelty"}])
async def test_strange_event_before_it_is_ready(begin: Begin, what: dict[str, Any]) -> None:
    """It is one frame, not the connection."""
    async with begin(THREE, faults=Faults(inject(what, before="session.updated"))) as talk:
        talk.sink.play_all()
        reply = await talk.ask()
        assert [message.heard_text for message in await reply.done()] == [FIRST, SECOND, THIRD]
        await talk.session.quiet()
        assert talk.held() == talk.heard()


async def test_the_reason_is_told_as_an_event_too(begin: Begin) -> None:
    async with begin(THREE, reconnect=None, raises=(SessionClosed,)) as talk:
        await talk.wire.close(1001, REASON)
        await talk.reaches("connection", "closed")
        await anyio.sleep_forever()
    closed = [event for event in talk.events if isinstance(event, ConnectionChanged) and event.state == "closed"]
    assert [REASON in event.reason for event in closed] == [True]


# ----------------------------------------------------------------------------------------------------- strange frames

MALFORMED: dict[str, str | bytes] = {
    "nothing": "",
    "half an event": '{"type": "response.done", "resp',
    "no JSON": "Internal Server Error",
    "no object": "[1, 2, 3]",
    "null": "null",
    "no type": "{}",
    "a type that is a number": '{"type": 7}',
    "a field is missing": '{"type": "response.output_audio.delta", "event_id": "e"}',
    "a field is wrong": '{"type": "conversation.item.truncated", "event_id": "e", "item_id": 7, "audio_end_ms": "x"}',
    "wrong base64": json.dumps(
        {
            "type": "response.output_audio.delta",
            "event_id": "e",
            "response_id": "resp_000001",
            "item_id": "item_000002",
            "output_index": 0,
            "content_index": 0,
            "delta": "%%%%",
        }
    ),
    "too deep": "[" * 100_000,
    "not UTF-8": b"\xff\xfe\x00",
    "10 MiB of nonsense": "x" * (10 * 1024 * 1024),
}


@pytest.mark.parametrize("what", MALFORMED)
async def test_malformed_frame_is_told_and_costs_nothing_else(begin: Begin, what: str) -> None:
    gate = Gate()
    async with begin(replies([Say(text=FIRST, gate=gate, gate_ms=600), SECOND], THIRD)) as talk:
        await talk.ask()
        await talk.sink.play(300)
        await talk.wire._socket.send(MALFORMED[what])  # pyright: ignore[reportPrivateUsage] - no event is like this
        problem = await talk.tells(Problem)
        assert problem.kind == "malformed"
        assert len(problem.message) < 500
        gate.open()
        await talk.reaches("response", "finishing")
        await talk.sink.play(length(FIRST))
        await talk.session.interrupt()
        await talk.session.quiet()
        first, second = talk.said()
        assert talk.held() == talk.heard() == [(first.id, length(FIRST)), (second.id, 300)]


async def test_frame_of_10_mib(begin: Begin) -> None:
    """Four minutes of audio in one delta."""
    audio = bytes(range(256)) * (8 * 1024 * 1024 // 256)

    def swell(event: dict[str, Any]) -> None:
        event["delta"] = base64.b64encode(audio).decode()

    faults = Faults(edit("response.output_audio.delta", swell))
    async with begin(THREE, faults=faults, ms_per_character=None) as talk:
        await talk.ask()
        await talk.sink.play(60_000)
        await talk.session.interrupt()
        await talk.log.wait("error")  # the embedded server knows nothing of these four minutes
        await talk.session.quiet()
        assert talk.heard() == [(talk.said()[0].id, 60_000)]
        assert talk.ears.segments[0].audio == audio[: 60_000 * 48]


async def test_audio_in_pieces_of_any_length(begin: Begin) -> None:
    """Pieces that end in the middle of a frame are put together."""
    kept = bytearray()
    sizes = cycle([1, 1919, 3, 1917, 959, 961, 0, 1920])

    def cut_up(event: dict[str, Any]) -> None:
        kept.extend(base64.b64decode(event["delta"]))
        size = next(sizes)
        piece, kept[:] = bytes(kept[:size]), kept[size:]
        event["delta"] = base64.b64encode(piece).decode()

    async with begin(replies(FIRST), faults=Faults(edit("response.output_audio.delta", cut_up, times=ALWAYS))) as talk:
        reply = await talk.ask()
        talk.sink.play_all()
        (message,) = await reply.done()
        await talk.session.quiet()
        assert not kept
        assert talk.held() == talk.heard() == [(message.id, length(FIRST))]


async def test_odd_byte_at_the_end_is_left_out_and_told(begin: Begin) -> None:
    def one_more(event: dict[str, Any]) -> None:
        event["delta"] = base64.b64encode(base64.b64decode(event["delta"]) + b"!").decode()

    last = length(FIRST) // 20
    faults = Faults(edit("response.output_audio.delta", one_more, nth=last))
    async with begin(replies([FIRST, SECOND]), faults=faults) as talk:
        await talk.ask()
        await talk.sink.play(length(FIRST) + 300)
        await talk.session.interrupt()
        await talk.session.quiet()
        first, second = talk.said()
        assert talk.held() == talk.heard() == [(first.id, length(FIRST)), (second.id, 300)]
        assert not first.interrupted
    (problem,) = [event for event in talk.events if isinstance(event, Problem)]
    assert (problem.kind, problem.operation) == ("malformed", first.id)


async def test_only_half_a_frame(begin: Begin) -> None:
    """A message whose whole audio is one byte: nothing to hear."""

    def half(event: dict[str, Any]) -> None:
        event["delta"] = base64.b64encode(b"!").decode()

    text = "."  # 60 ms, three deltas
    faults = Faults(edit("response.output_audio.delta", half), drop("response.output_audio.delta", nth=2, times=2))
    async with begin(replies([text, SECOND]), faults=faults) as talk:
        talk.sink.play_all()
        reply = await talk.ask()
        await reply.done()
        await talk.session.quiet()
        assert [message.heard_text for message in talk.said()] == [SECOND]
        assert talk.held() == talk.heard()
