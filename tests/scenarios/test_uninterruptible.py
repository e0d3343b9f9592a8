"""What may not be interrupted is heard to its end, though the server hears the user and would cut it off."""

from typing import Any

import anyio
import pytest

from rtactors.interruption import AT_ONCE, NEVER, Interruption
from rtactors.loopback.faults import Faults, delay, drop, refuse
from rtactors.loopback.recognizer import Scripted
from rtactors.loopback.script import Gate, Say, Timing, replies
from rtactors.providers.openai.wire import ServerVad
from rtactors.session_events import AgentStartedSpeaking, MessageAnnounced, Problem
from rtactors.sinks import PacedSink
from rtactors.testing.conversation import Conversation, conversation
from tests.scenarios.conftest import Begin
from tests.scenarios.test_false_alarm import comes_to_be, cough, fates, interruptions
from tests.scenarios.test_interruption import FIRST, SECOND, THIRD, length

pytestmark = pytest.mark.anyio

ALL = {"interruption": NEVER}


def turn_settings(talk: Conversation) -> list[tuple[bool, bool]]:
    """What the server was told of interruptions and replies, each time that it was told anything."""
    given = [update["session"]["audio"]["input"]["turn_detection"] for update in talk.sent("session.update")]
    return [(each.get("interrupt_response", True), each.get("create_response", True)) for each in given]


async def speaks_over(talk: Conversation, heard_ms: int, gate: Gate) -> None:
    """The user speaks while `heard_ms` are heard, and most of it is still to be generated."""
    await talk.sink.play(heard_ms)
    await gate.reached.wait()
    await cough(talk)
    gate.open()


async def test_e16_a_session_that_is_never_interrupted(begin: Begin) -> None:
    """The server lets itself be told: it generates on. The user's turn is answered after that, once."""
    gate = Gate()
    async with begin(replies(Say(text=SECOND, gate=gate, gate_ms=600), THIRD), session=ALL) as talk:
        reply = await talk.ask()
        await speaks_over(talk, 500, gate)
        talk.sink.play_all()
        (message,) = await reply.done()
        await talk.tells(AgentStartedSpeaking, 2)
        await talk.session.quiet()
        assert (message.heard_text, message.heard_ms, message.interrupted) == (SECOND, length(SECOND), False)
        assert [item.heard_text for item in talk.said()] == [SECOND, THIRD]
        assert talk.held() == talk.heard() == [(item.id, item.heard_ms) for item in talk.said()]
        assert turn_settings(talk) == [(False, False)]
        assert len(talk.sent("response.create")) == 2
        assert not talk.sent("response.cancel")
    assert fates(talk) == ["taken"]
    assert interruptions(talk) == 0


async def test_e16_one_reply_of_a_session(begin: Begin) -> None:
    """The server is told before it is asked for that reply, and again when it is over: then speech interrupts."""
    gate = Gate()
    async with begin(replies(Say(text=SECOND, gate=gate, gate_ms=600), THIRD, FIRST)) as talk:
        reply = await talk.ask(interruption=NEVER)
        await speaks_over(talk, 500, gate)
        await talk.sink.play(length(SECOND) - 500)
        (message,) = await reply.done()
        assert (message.heard_text, message.interrupted) == (SECOND, False)
        await talk.sink.play(300)  # of the answer to what the user said
        await talk.log.wait("session.updated", 3)
        await talk.log.wait("response.done", 2)
        received = [record.type for record in talk.log.received if record.type in {"session.update", "response.create"}]
        assert received[:3] == ["session.update", "session.update", "response.create"]
        assert turn_settings(talk) == [(True, True), (False, False), (True, True)]
        await cough(talk)
        await talk.reaches("message", "partial")
        talk.sink.play_all()
        await talk.tells(AgentStartedSpeaking, 3)
        await talk.session.quiet()
        heard = [(item.heard_text, item.heard_ms) for item in talk.said()]
        assert [ms for _, ms in heard] == [length(SECOND), 300, length(FIRST)]
        assert len(talk.sent("response.create")) == 2  # the last one is the server's own
    assert fates(talk) == ["taken", "taken"]


@pytest.mark.parametrize("by", ["rule", "hand"])
async def test_one_message_of_a_reply(begin: Begin, by: str) -> None:
    """Its commentary is heard to its end, though the user speaks; the final answer then is interrupted at once."""

    def rule(announced: MessageAnnounced) -> Interruption | None:
        return NEVER if announced.phase == "commentary" else None

    script = replies([Say(text=FIRST, phase="commentary"), Say(text=SECOND, phase="final_answer")], THIRD)
    session = {"interruption_rule": rule} if by == "rule" else {}
    async with begin(script, session=session) as talk:
        reply = await talk.ask()
        announced = await talk.tells(MessageAnnounced)
        if by == "hand":
            await talk.session.set_interruption(announced.message_id, NEVER)
        await talk.log.wait("session.updated", 2)
        await talk.sink.play(500)
        await talk.speak()
        await comes_to_be(talk, "turn", 1)
        await talk.sink.play(length(FIRST) - 500)  # and the next one never begins
        messages = await reply.done()
        assert [(message.heard_text, message.interrupted) for message in messages] == [(FIRST, False)]
        await talk.fall_silent()
        talk.sink.play_all()
        await talk.tells(AgentStartedSpeaking, 2)
        await talk.session.quiet()
        assert [item.heard_text for item in talk.said()] == [FIRST, THIRD]
        assert talk.held() == talk.heard() == [(item.id, item.heard_ms) for item in talk.said()]


WORLDS: dict[str, dict[str, Any]] = {
    "it ignores what it is told": {"obeys_turn_settings": False},
    "it refuses to be told": {"faults": lambda: Faults(refuse("session.update", nth=2, times=99))},
}


def world(name: str) -> dict[str, Any]:
    return {key: value() if callable(value) else value for key, value in WORLDS[name].items()}


@pytest.mark.parametrize("name", WORLDS)
async def test_e16_a_server_that_cuts_it_off_all_the_same(begin: Begin, name: str) -> None:
    """What it had generated is heard; then the rest is asked for, and only then what the user said is answered."""
    gate = Gate()
    rest = "And the rest of it."
    script = replies(Say(text=SECOND, gate=gate, gate_ms=900), FIRST, rest, THIRD)
    async with begin(script, recognizer=Scripted("Hello."), **world(name)) as talk:
        reply = await talk.ask(interruption=NEVER)
        await speaks_over(talk, 500, gate)
        talk.sink.play_all()
        first, second = await reply.done()
        await talk.session.quiet()
        assert (first.heard_ms, second.heard_text) == (900, rest)
        assert not reply.interrupted
        assert [item.heard_text for item in talk.said()][1:] == [rest, THIRD]
        assert talk.held() == talk.heard() == [(item.id, item.heard_ms) for item in talk.said()]
    (problem,) = [event for event in talk.events if isinstance(event, Problem)]
    assert "leave interruptions and replies to us" in problem.message
    assert interruptions(talk) == 0


async def test_a_false_alarm_with_a_server_that_cuts_it_off(begin: Begin) -> None:
    """It is held, goes on, and its rest is asked for; what the server says to the cough leaves nothing."""
    gate = Gate()
    rest = "And the rest of it."
    script = replies(Say(text=SECOND, gate=gate, gate_ms=900), FIRST, rest)
    timing = Timing(command_ms=0, created_ms=0, thinking_ms=0, audio_ms=0, speed=float("inf"), transcription_ms=300)
    policy = {"interruption": Interruption(min_words=1)}
    async with begin(script, session=policy, recognizer=Scripted(""), obeys_turn_settings=False, timing=timing) as talk:
        reply = await talk.ask()
        await speaks_over(talk, 500, gate)
        await comes_to_be(talk, "dismissed", 1)
        talk.sink.play_all()
        first, second = await reply.done()
        await talk.session.quiet()
        assert (first.heard_ms, second.heard_text) == (900, rest)
        assert talk.held() == talk.heard() == [(item.id, item.heard_ms) for item in talk.said()]
        assert len(talk.said()) == 2
    assert fates(talk) == ["dismissed"]


async def test_words_with_a_server_that_replies_by_itself(begin: Begin) -> None:
    """It has begun to answer before the words were known: that answer stands, and no other is asked for."""
    timing = Timing(command_ms=0, created_ms=0, thinking_ms=0, audio_ms=0, speed=float("inf"), transcription_ms=300)
    policy = {"interruption": Interruption(min_words=1)}
    async with begin(
        replies(SECOND, THIRD),
        session=policy,
        recognizer=Scripted("Stop!"),
        obeys_turn_settings=False,
        timing=timing,
    ) as talk:
        reply = await talk.ask()
        await talk.sink.play(500)
        await talk.log.wait("response.done")
        await cough(talk)
        (message,) = await reply.done()
        talk.sink.play_all()
        await talk.tells(AgentStartedSpeaking, 2)
        await talk.session.quiet()
        assert (message.heard_ms, message.interrupted) == (500, True)
        assert [item.heard_text for item in talk.said()][1:] == [THIRD]
        assert talk.held() == talk.heard() == [(item.id, item.heard_ms) for item in talk.said()]
    assert fates(talk) == ["taken"]


async def test_an_answer_of_the_servers_own_that_ours_has_joined() -> None:
    """We had asked for one, and were refused: the server was about to reply by itself, though it was told not to."""
    timing = Timing(command_ms=0, created_ms=20)
    async with conversation(
        replies(SECOND, THIRD),
        session={"interruption": Interruption(min_speech=0.1)},
        sink=PacedSink(),
        timing=timing,
        obeys_turn_settings=False,
    ) as talk:
        reply = await talk.ask()
        await reply.done()
        await cough(talk)
        await talk.tells(AgentStartedSpeaking, 2)
        await talk.session.quiet()
        assert [(item.heard_text, item.interrupted) for item in talk.said()] == [(SECOND, False), (THIRD, False)]


async def test_speech_before_the_server_has_taken_the_settings() -> None:
    """It acts as it was told before, until it says otherwise: what it cut off goes on all the same."""
    gate = Gate()
    faults = Faults(delay("session.updated", nth=2, ms=3000))
    script = replies(Say(text=SECOND, gate=gate, gate_ms=900), THIRD)
    timing = Timing(command_ms=0)
    async with conversation(script, sink=PacedSink(), faults=faults, timing=timing) as talk:
        reply = await talk.ask(interruption=NEVER)
        await gate.reached.wait()
        await cough(talk)
        gate.open()
        (message,) = await reply.done()
        assert (message.heard_text, message.interrupted) == (SECOND, False)
        await talk.session.quiet()


async def test_an_acknowledgement_of_the_settings_that_gets_lost() -> None:
    """The server most likely obeys; the app is told, once, and the next turn is answered by who is to."""
    faults = Faults(drop("session.updated", nth=2))
    async with conversation(replies(SECOND, THIRD), faults=faults, sink=PacedSink()) as talk:
        reply = await talk.ask(interruption=NEVER)
        assert [item.heard_text for item in await reply.done()] == [SECOND]
        await anyio.sleep(10)
        await cough(talk)
        await talk.tells(AgentStartedSpeaking, 2)
        await talk.session.quiet()
        assert [item.heard_text for item in talk.said()] == [SECOND, THIRD]
    problems = [event.message for event in talk.events if isinstance(event, Problem)]
    assert sum("did not acknowledge how it was set up" in problem for problem in problems) == 1


async def test_settings_of_a_new_connection(begin: Begin) -> None:
    """It begins with those of the moment, also if they are of one reply."""
    async with begin(replies(FIRST)) as talk:
        reply = await talk.ask(interruption=NEVER)
        await talk.sink.play(300)
        await talk.reaches("response", "finishing")
        await talk.wire.close(1011, "gone")
        await talk.connected(2)
        talk.sink.play_all()
        await reply.done()
        await talk.wire.log.wait("session.updated", 2)
        await talk.session.quiet()
        assert turn_settings(talk) == [(False, False), (True, True)]


async def test_a_session_of_its_own_policy_and_one_reply_that_is_interrupted_at_once(begin: Begin) -> None:
    """The other way round: it waits for words, but for one reply."""
    policy = {"interruption": Interruption(min_words=3)}
    async with begin(replies(SECOND, THIRD), session=policy, recognizer=Scripted("No.")) as talk:
        reply = await talk.ask(interruption=AT_ONCE)
        await talk.sink.play(400)
        await talk.speak()
        (message,) = await reply.done()
        assert (message.heard_ms, message.interrupted) == (400, True)
        await talk.fall_silent()
        talk.sink.play_all()
        await talk.tells(AgentStartedSpeaking, 2)
        await talk.session.quiet()
        assert turn_settings(talk) == [(False, False)]
    assert fates(talk) == ["taken"]


async def test_a_provider_that_leaves_replies_to_the_app(begin: Begin) -> None:
    """By its own settings it answers nobody: nor do we."""
    provider = {"turn_detection": ServerVad(create_response=False)}
    async with begin(replies(FIRST), session=ALL, provider=provider) as talk:
        reply = await talk.ask()
        await talk.sink.play(300)
        await cough(talk)
        talk.sink.play_all()
        (message,) = await reply.done()
        assert not message.interrupted
        await talk.session.quiet()
        assert len(talk.said()) == 1
    assert fates(talk) == ["taken"]


async def test_a_rule_that_fails_ends_the_session(begin: Begin) -> None:
    def rule(_announced: MessageAnnounced) -> Interruption | None:
        raise LookupError("no such phase")

    async def talk_by_it() -> None:
        async with begin(replies(FIRST), session={"interruption_rule": rule}) as talk:
            await talk.ask()
            await anyio.sleep_forever()

    with pytest.raises(LookupError, match="no such phase"):
        await talk_by_it()
