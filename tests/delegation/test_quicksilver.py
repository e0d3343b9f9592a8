"""Sessions with a quicksilver server (V1): what is said, heard and kept, though its frames name no responses."""

import anyio
import pytest

from rtactors import Backoff, ConfigurationError, Deadlines, HistoryItem
from rtactors.delegation import Delegate, Work
from rtactors.delegation.telling import FINAL
from rtactors.loopback.quicksilver import Line, secretary
from rtactors.loopback.script import Gate
from rtactors.providers.quicksilver import wire
from rtactors.session_events import (
    AgentSaid,
    ConnectionChanged,
    ConversationEnded,
    Problem,
    UserSaid,
    UserStartedSpeaking,
    UserTranscript,
)
from tests.delegation.alone import ByHand
from tests.delegation.conftest import BeginV1
from tests.delegation.lines import Slow
from tests.delegation.lines import talk as in_memory

pytestmark = pytest.mark.anyio

AT_ONCE = Backoff(first=0.01, luck=lambda: 1.0)


async def nothing(_line: Line) -> None:
    """The server only listens."""


def said(history: list[HistoryItem]) -> list[tuple[str | None, str, bool]]:
    return [(item.role, item.heard_text, item.interrupted) for item in history]


async def test_a_conversation(begin_v1: BeginV1) -> None:
    async def script(line: Line) -> None:
        await line.user_says("Hello", " there.")
        await line.turn_marked("Hello there.")
        await line.agent_says("Hi!")
        await line.agent_says("How are you?")

    async with begin_v1(script) as talk:
        talk.sink.play_all()
        await talk.tells(AgentSaid, 2)
        await talk.session.quiet()
        assert said(talk.session.history) == [
            ("user", "Hello there.", False),
            ("assistant", "Hi!", False),
            ("assistant", "How are you?", False),
        ]
        assert [item.heard_ms for item in talk.session.history] == [0, 180, 720]
    assert [event.text for event in talk.events if isinstance(event, UserTranscript)] == ["Hello", " there."]
    assert [event.text for event in talk.events if isinstance(event, UserSaid)] == ["Hello there."]
    assert not [event for event in talk.events if isinstance(event, Problem)]
    assert isinstance(talk.events[-1], ConversationEnded)


async def test_it_is_set_up_before_the_server_says_a_word(begin_v1: BeginV1) -> None:
    settings = {"instructions": "Be brief.", "voice": "breeze", "session_id": "thread_1", "api_key": "sk-1"}
    async with begin_v1(nothing, provider={**settings, "model": "m"}) as talk:
        line = talk.line
        await line.log.wait("session.update")
        assert "intent=quicksilver&model=m" in line.url
        headers = {name.lower(): value for name, value in line.headers.items()}
        assert headers["openai-alpha"] == "quicksilver=v1"
        assert headers["x-session-id"] == "thread_1"
        assert headers["authorization"] == "Bearer sk-1"
        assert line.log.records[0].type == "session.updated"  # sent while the update is being written down
        assert line.log.find("session.update")[0].json["session"] == {
            "type": "quicksilver",
            "instructions": "Be brief.",
            "audio": {"input": {"format": {"type": "audio/pcm", "rate": 24000}}, "output": {"voice": "breeze"}},
        }


async def test_the_user_speaks_over_it(begin_v1: BeginV1) -> None:
    gate = Gate()

    async def script(line: Line) -> None:
        await line.user_says("Tell me a story.")
        await line.turn_marked("Tell me a story.")
        await line.agent_begins()
        await line.agent_goes_on("Once upon a time there was a lighthouse.")
        await gate.passed()
        await line.user_says("Stop")
        await line.turn_marked("Stop.")
        await line.agent_says("All right.")

    async with begin_v1(script) as talk:
        await talk.sink.play(720)
        gate.open()
        await talk.tells(UserStartedSpeaking, 2)
        await talk.tells(AgentSaid)
        talk.sink.play_all()
        await talk.tells(AgentSaid, 2)
        await talk.session.quiet()
        assert said(talk.session.history) == [
            ("user", "Tell me a story.", False),
            ("assistant", "Once upon a", True),
            ("user", "Stop.", False),
            ("assistant", "All right.", False),
        ]
    assert not [event for event in talk.events if isinstance(event, Problem)]


async def test_what_it_can_not_do_is_said_where_it_is_asked(begin_v1: BeginV1) -> None:
    async with begin_v1(secretary, delegate=Delegate(ByHand())) as talk:
        for ask in (talk.session.generate_reply(), talk.session.ask("Hello?")):
            with pytest.raises(ConfigurationError, match="quicksilver can't be asked for a reply"):
                await ask
        assert talk.session.history == []


async def test_functions_are_refused() -> None:
    def weather() -> str:
        return "rain"

    with pytest.raises(ConfigurationError, match=r"calls no functions, so it can't have weather"):
        async with in_memory(nothing, tools=[weather]):
            pass


async def test_a_secretary(begin_v1: BeginV1) -> None:
    """The server's own script, which anybody can try: what is written is handed over, and the answer read out."""

    async def agent(work: Work) -> str:
        return f"You said: {work.input}"

    async with begin_v1(secretary, delegate=Delegate(agent, grace=0)) as talk:
        talk.sink.play_all()
        await talk.session.add("Good morning")
        await talk.tells(AgentSaid, 2)
        await talk.session.quiet()
        assert talk.appended == [FINAL + "You said: Good morning"]
        texts = [item.heard_text for item in talk.session.history]
        assert texts[0] == "Good morning"
        assert sorted(texts[1:]) == ["One moment.", "You said: Good morning"]


async def test_a_lost_connection_is_made_again_and_told(begin_v1: BeginV1) -> None:
    """As messages: the user's as theirs, the model's in the developer's words. What was answered is not sent again."""
    first = True

    async def script(line: Line) -> None:
        nonlocal first
        if first:
            first = False
            await line.user_says("Hello.")
            await line.turn_marked("Hello.")
            await line.agent_says("Hi!")

    async with begin_v1(script, reconnect=AT_ONCE) as talk:
        talk.sink.play_all()
        await talk.session.send_audio(bytes(960))
        await talk.tells(AgentSaid)
        await talk.session.add("Are you there?")
        await talk.line.log.wait("conversation.item.create")
        await talk.line.close(1011, "bye")
        await talk.tells(ConnectionChanged, 3)  # connected, reconnecting, connected
        await talk.session.quiet()
        await talk.line.log.wait("conversation.item.create", 3)
        items = [record.json["item"] for record in talk.line.log.find("conversation.item.create")]
        assert [(item["role"], item["content"][0]["text"]) for item in items] == [
            ("user", "Hello."),
            ("developer", "You (the assistant) said: Hi!"),
            ("user", "Are you there?"),
        ]
        texts = [item.heard_text for item in talk.session.history]
        assert texts == ["Hello.", "Hi!", "Are you there?"]
    assert not [event for event in talk.events if isinstance(event, Problem)]


async def test_the_answer_outlives_the_connection(begin_v1: BeginV1) -> None:
    """What the agent says while there is no server waits for the next one, in order, and goes out once."""
    agent = ByHand()

    async def script(line: Line) -> None:
        if line.url and len(agent.works) == 0:
            await line.hand_off("go", "h1")

    async with begin_v1(script, reconnect=AT_ONCE, delegate=Delegate(agent, grace=0)) as talk:
        work = await agent.work()
        await talk.line.close(1011, "bye")
        await talk.tells(ConnectionChanged, 2)
        await work.progress("Looking.")
        agent.returns("Done.")
        await talk.tells(ConnectionChanged, 3)
        await talk.line.log.wait("conversation.handoff.append", 2)
        assert len(talk.server.lines) == 2
        assert talk.appended == ["Looking.", FINAL + "Done."]
        assert not talk.server.lines[0].log.find("conversation.handoff.append")
    assert len(agent.works) == 1


async def test_what_waited_for_a_connection_goes_out_before_what_comes_later() -> None:
    """Also where both are behind the user's voice, which a slow network holds up."""
    agent, gates = ByHand(), [Gate(), Gate()]
    gates[0].open()
    later = iter(gates)

    async def script(line: Line) -> None:
        if not agent.works:
            await line.hand_off("go", "h1")

    async with in_memory(
        script,
        reconnect=AT_ONCE,
        delegate=Delegate(agent, grace=0),
        network=lambda socket: Slow(socket, next(later)),
    ) as talk:
        work = await agent.work()
        await talk.session.send_audio(bytes(960))
        await talk.line.log.wait("input_audio_buffer.append")
        await talk.line.close(1011, "bye")
        await talk.tells(ConnectionChanged, 2)
        await work.progress("Looking.")
        await gates[1].reached.wait()
        agent.returns("Done.")
        await anyio.sleep(1)
        gates[1].open()
        await talk.line.log.wait("conversation.handoff.append", 2)
        assert talk.appended == ["Looking.", FINAL + "Done."]


async def test_an_interruption_by_the_app_ends_what_is_heard(begin_v1: BeginV1) -> None:
    """The server can't be told, and is no longer waited for after a while."""
    gate = Gate()

    async def script(line: Line) -> None:
        item = await line.agent_begins()
        await line.agent_goes_on("Once upon a time there was a lighthouse.")
        await gate.passed()
        await line.agent_goes_on(" It was high.")
        await line.agent_ends(item)

    async with begin_v1(script, deadlines=Deadlines(stop=0.2)) as talk:
        await talk.sink.play(720)
        await talk.session.interrupt()
        await talk.tells(AgentSaid)
        gate.open()
        await talk.session.quiet()
        assert said(talk.session.history) == [("assistant", "Once upon a", True)]
        assert [record.type for record in talk.line.log.received] == ["session.update"]


async def test_an_error_of_the_server_is_not_the_end(begin_v1: BeginV1) -> None:
    async def script(line: Line) -> None:
        await line.send(wire.ServerError(message="Something went wrong."))
        await line.send_frame("nonsense")
        await line.agent_says("Still here.")

    async with begin_v1(script) as talk:
        talk.sink.play_all()
        await talk.tells(AgentSaid)
        await talk.session.quiet()
        assert said(talk.session.history) == [("assistant", "Still here.", False)]
    problems = [event.message for event in talk.events if isinstance(event, Problem)]
    assert problems[0] == "Something went wrong."
    assert "can't read a frame" in problems[1]


async def test_a_commit_by_hand_has_no_event(begin_v1: BeginV1) -> None:
    """It ends the session, with a sentence that says what such a server is."""
    async with begin_v1(nothing, raises=(ConfigurationError,)) as talk:
        await talk.session.commit_audio()
        await anyio.sleep_forever()
    assert "has no event for CommitAudio" in str(talk.failure)
    ended = talk.events[-1]
    assert isinstance(ended, ConversationEnded)
    assert ended.reason == "error"
