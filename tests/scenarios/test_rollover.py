"""The provider's time limit is met before it is there: the next connection takes over, and nobody hears it.

In virtual time only: limits are minutes.
"""

from http import HTTPStatus
from typing import Any, Literal

import anyio
import pytest

from rtactors.limits import Deadlines
from rtactors.loopback.conversation import BYTES_PER_MS
from rtactors.loopback.faults import Faults, drop
from rtactors.loopback.script import Failed, Gate, Reply, Say, Timing, replies
from rtactors.session_events import ConnectionChanged, Problem
from rtactors.sinks import PacedSink
from rtactors.testing.conversation import Conversation, conversation

pytestmark = pytest.mark.anyio

FIRST, SECOND, THIRD = "This is the first message.", "And here is the second.", "The third is the last."
LIMIT_S = 1200.0
RENEW_S, CHANGE_S = Deadlines().renew, Deadlines().change
BY_HAND = {"turn_detection": None}


def states(talk: Conversation) -> list[str]:
    return [event.state for event in talk.events if isinstance(event, ConnectionChanged)]


def changed_at(talk: Conversation) -> float:
    """When the second connection was taken into use."""
    return [event.at for event in talk.events if isinstance(event, ConnectionChanged) and event.state == "connected"][1]


def long(minutes: float) -> Reply:
    """Two messages; the first lasts so long, and is generated no faster than it is heard."""
    return Reply(
        outputs=(Say(text="word " * int(minutes * 200)), Say(text=SECOND)), timing=Timing(speed=1.0, delta_ms=500)
    )


async def test_the_next_connection_takes_over_while_nobody_speaks() -> None:
    async with conversation(
        replies(FIRST, SECOND), sink=PacedSink(), session_limit_s=LIMIT_S, provider=BY_HAND
    ) as talk:
        await (await talk.ask("One?")).done()
        await anyio.sleep(LIMIT_S)
        await (await talk.ask("Two?")).done()
        await talk.session.quiet()
        assert [item.text for item in talk.items()] == ["One?", FIRST, "Two?", SECOND]
    assert states(talk) == ["connected", "preparing", "prepared", "changing", "connected", "closed"]
    assert changed_at(talk) == pytest.approx(LIMIT_S - RENEW_S, abs=2)


@pytest.mark.parametrize("before_s", [5, 45, 85])
async def test_d8_it_waits_for_the_end_of_a_response(before_s: int) -> None:
    """Which is being spoken when the next connection is ready: no gap between its messages, and no cut."""
    script = replies(long(minutes=1.5))
    async with conversation(script, sink=PacedSink(), session_limit_s=LIMIT_S, provider=BY_HAND) as talk:
        await anyio.sleep(LIMIT_S - RENEW_S - before_s)
        reply = await talk.ask()
        first, second = await reply.done()
        assert first.stopped_at
        assert second.started_at
        assert second.started_at - first.stopped_at < 0.5
        assert not first.interrupted
        await anyio.sleep(RENEW_S)
        await talk.session.quiet()
        assert [item.text for item in talk.items()] == ["Tell me a story.", first.heard_text, second.heard_text]
        assert talk.held() == [(first.id, 0), (second.id, 0)]  # as text
    assert len(talk.server.sessions) == 2


async def test_d8_a_response_that_fails_ends_nothing() -> None:
    failing = Reply(
        outputs=(Say(text="word " * 400),), timing=Timing(speed=1.0, delta_ms=500), ending=Failed(after_ms=60_000)
    )
    script = replies(failing, SECOND)
    async with conversation(script, sink=PacedSink(), session_limit_s=LIMIT_S, provider=BY_HAND) as talk:
        await anyio.sleep(LIMIT_S - RENEW_S - 10)
        reply = await talk.ask()
        with pytest.raises(Exception, match="error while processing"):
            await reply.done()
        await talk.connected(2)
        assert [message.heard_text for message in await (await talk.ask("And now?")).done()] == [SECOND]


@pytest.mark.parametrize("at_limit", ["close", "error"])
async def test_d8_a_response_that_never_ends_does_not_block_it(at_limit: Literal["close", "error"]) -> None:
    """Shortly before the limit it is changed all the same; what is buffered is heard, then the rest asked for."""
    gate = Gate()
    script = replies(Say(text=FIRST + " " + SECOND, gate=gate, gate_ms=600), THIRD)
    options: dict[str, Any] = {"session_limit_s": LIMIT_S, "at_limit": at_limit}
    forever = Deadlines(silence=10 * LIMIT_S)
    async with conversation(script, sink=PacedSink(), provider=BY_HAND, deadlines=forever, **options) as talk:
        await anyio.sleep(LIMIT_S - RENEW_S - 1)
        reply = await talk.ask()
        messages = await reply.done()
        assert [message.heard_ms for message in messages] == [600, len(THIRD) * 60]
    assert changed_at(talk) == pytest.approx(LIMIT_S - CHANGE_S, abs=2)


async def test_it_waits_for_the_user() -> None:
    async with conversation(replies(FIRST), sink=PacedSink(), session_limit_s=LIMIT_S) as talk:
        await anyio.sleep(LIMIT_S - RENEW_S - 1)
        await talk.speak()
        await anyio.sleep(10)
        assert len(talk.server.sessions) == 2
        await talk.session.send_audio(bytes(600 * BYTES_PER_MS))
        await talk.server.sessions[0].log.wait("response.created")
        await talk.connected(2)
        await talk.session.quiet()
        assert talk.said()[0].heard_text == FIRST
        assert not talk.said()[0].interrupted


async def test_a_limit_that_comes_sooner_than_was_told_is_a_lost_connection() -> None:
    """The error form of it; the connection is made again."""
    async with conversation(replies(FIRST, SECOND), sink=PacedSink(), provider=BY_HAND) as talk:
        await talk.wire.close(1001, "Your session hit the maximum duration of 30 minutes.")
        await talk.connected(2)
        assert [message.heard_text for message in await (await talk.ask()).done()] == [FIRST]


async def test_next_connection_that_can_not_be_made_is_tried_again() -> None:
    def admit(connection: int) -> HTTPStatus | None:
        return HTTPStatus.SERVICE_UNAVAILABLE if 1 < connection < 8 else None

    async with conversation(replies(FIRST), sink=PacedSink(), session_limit_s=LIMIT_S, admit=admit) as talk:
        await anyio.sleep(LIMIT_S - CHANGE_S)
    assert states(talk).count("reconnecting") == 0
    assert changed_at(talk) < LIMIT_S - CHANGE_S


async def test_key_that_is_refused_meanwhile_is_told_and_the_rest_of_the_time_used() -> None:
    def admit(connection: int) -> HTTPStatus | None:
        return HTTPStatus.UNAUTHORIZED if connection > 1 else None

    async with conversation(replies(FIRST), sink=PacedSink(), session_limit_s=LIMIT_S, admit=admit) as talk:
        await anyio.sleep(LIMIT_S - RENEW_S + 5)
        assert [message.heard_text for message in await (await talk.ask()).done()] == [FIRST]
        problem = await talk.tells(Problem)
        assert "key" in problem.message


async def test_it_rolls_on() -> None:
    """Five limits, a question in each."""
    lines = [f"This is answer {number}." for number in range(5)]
    async with conversation(replies(*lines), sink=PacedSink(), session_limit_s=LIMIT_S, provider=BY_HAND) as talk:
        for line in lines:
            assert [message.heard_text for message in await (await talk.ask()).done()] == [line]
            await anyio.sleep(LIMIT_S * 0.95)
        await talk.session.quiet()
        assert [item.text for item in talk.items("assistant")] == lines
    assert "reconnecting" not in states(talk)


async def test_prepared_connection_that_is_lost_is_prepared_again() -> None:
    gate = Gate()
    script = replies(Say(text=FIRST, gate=gate, gate_ms=600))
    async with conversation(script, sink=PacedSink(), session_limit_s=LIMIT_S, provider=BY_HAND) as talk:
        await anyio.sleep(LIMIT_S - RENEW_S - 1)
        reply = await talk.ask()
        await talk.reaches("link", "prepared")
        await talk.wire.close(1011, "sorry")
        await anyio.sleep(2)
        gate.open()
        await reply.done()
        await talk.connected(2)
        await talk.session.quiet()
    assert states(talk)[:4] == ["connected", "preparing", "prepared", "preparing"]
    assert [message.heard_text for message in talk.said()] == [FIRST]


async def test_lost_while_the_next_is_prepared() -> None:
    """Then it takes over at once."""
    gate = Gate()
    script = replies(Say(text=FIRST, gate=gate, gate_ms=600), SECOND)
    async with conversation(script, sink=PacedSink(), session_limit_s=LIMIT_S, provider=BY_HAND) as talk:
        await anyio.sleep(LIMIT_S - RENEW_S - 1)
        reply = await talk.ask()
        await talk.reaches("link", "prepared")
        await talk.server.sessions[0].close(1011, "sorry")
        messages = await reply.done()
        assert [message.heard_ms for message in messages] == [600, len(SECOND) * 60]
    assert "reconnecting" not in states(talk)


async def test_acknowledgement_that_never_comes_holds_it_up_no_longer_than_its_deadline() -> None:
    unanswered = Faults(drop("conversation.item.added"))
    async with conversation(
        replies(FIRST), sink=PacedSink(), session_limit_s=LIMIT_S, provider=BY_HAND, faults=unanswered
    ) as talk:
        await anyio.sleep(LIMIT_S - RENEW_S - 1)
        await talk.session.add("A note.", role="system")
        await talk.connected(2)
        await talk.session.quiet()
        assert [item.text for item in talk.items()] == ["A note."]
    assert changed_at(talk) < LIMIT_S - RENEW_S + Deadlines().acknowledge + 2
