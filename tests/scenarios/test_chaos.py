"""Networks that fail, over real sockets: the record is as heard, the app is told, and whatever is waited for ends."""

from collections import Counter
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import anyio
import pytest

from rtactors import ConnectionFailed, Deadlines, Session, SessionClosed, SinkLost
from rtactors.loopback.script import replies
from rtactors.loopback.server import Server
from rtactors.loopback.voice import ToneVoice
from rtactors.providers import OpenAIRealtime
from rtactors.session_events import Transition, UserStartedSpeaking
from rtactors.sinks import MemorySink, PacedSink
from rtactors.testing.chaos import HOST, KINDS, MUTE, ChaosProxy, Conditions, Cut, Fault, Kind, Plan, Way, calm, weather
from rtactors.testing.conversation import Conversation, conversation, speech
from statecharts import link
from tests.scenarios.test_interruption import FIRST, THREE, length

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


async def test_a_stall_that_ends_in_time_is_only_a_delay() -> None:
    """The user speaks into the silence; all of it arrives, nothing is lost and nothing twice."""
    async with conversation(THREE, chaos=calm) as talk:
        await talk.ask()
        await talk.sink.play(600)
        talk.proxy.newest.stall()
        await talk.session.send_audio(speech(200))
        reply = await talk.ask("Go on.")
        await talk.proxy.until("stall", 2)
        talk.proxy.newest.go_on()
        await talk.tells(UserStartedSpeaking)
        await talk.fall_silent()
        talk.sink.play_all()
        await reply.done()
        await talk.session.quiet()
        assert talk.said()[0].heard_ms == 600


# -------------------------------------------------------------------------------------------------------- it breaks


async def _to_its_end(talk: Conversation) -> None:
    """Ask, and hear whatever comes."""
    talk.sink.play_all()
    await talk.ask()
    await anyio.sleep_forever()


@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize("kind", ["hang up", "reset"])
async def test_cut_in_the_middle_of_a_frame(kind: Cut, way: str) -> None:
    """What has arrived is heard to its end; the record has it and not a frame more."""
    async with conversation(THREE, chaos=calm, reconnect=None, raises=(SessionClosed,)) as talk:
        fault = Way(fault=Fault(kind, 40_000 if way == "down" else 100))
        talk.proxy.newest.change(**{way: fault})
        await _to_its_end(talk)
    assert "was lost" in str(talk.failure)
    assert talk.proxy.counts[kind] == 1
    assert talk.heard() == [(message.id, message.heard_ms) for message in talk.said()]
    assert bool(talk.heard()) is (way == "down")


@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize("after", [0, 1, 2, 100, 3000])
async def test_corrupt_is_never_heard_nor_believed(way: str, after: int) -> None:
    """Wherever it hits: a header's first byte, its length, a mask, a payload. One of the two sides says what is wrong.

    Where it makes a frame longer than it is, the reader waits for more; then nobody answers the next ping.
    """
    async with conversation(THREE, chaos=calm, reconnect=None, raises=(SessionClosed,), deadlines=QUICK) as talk:
        await talk.session.quiet()
        talk.proxy.newest.change(**{way: Way(fault=Fault("corrupt", after))})
        talk.sink.play_all()
        await talk.ask()
        for _ in range(20):
            await talk.session.send_audio(bytes(4800))
        await anyio.sleep_forever()
    assert any(code in str(talk.failure) for code in ("1002", "1007", "1009", "1011", "was lost"))
    assert talk.proxy.counts["corrupt"] == 1


@pytest.mark.parametrize("way", ["up", "down"])
async def test_half_open_is_found_out(way: str, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing passes and nothing closes. What has arrived is heard, also while nobody knows yet."""
    async with conversation(THREE, chaos=calm, reconnect=None, raises=(SessionClosed,), deadlines=QUICK) as talk:
        await talk.ask()
        await talk.reaches("response", "finishing")
        talk.proxy.newest.change(**{way: Way(fault=Fault("stall"))})
        await talk.sink.play(length(FIRST))
        await talk.reaches("link", "closed")
        await talk.sink.play(300)
        talk.sink.play_all()
        await anyio.sleep_forever()
    assert "1011" in str(talk.failure)
    assert not [
        record for record in caplog.records if record.name.startswith("rtactors.transports")
    ]  # told once is enough
    assert len(talk.heard()) == 3
    assert talk.heard() == [(message.id, message.heard_ms) for message in talk.said()]


async def test_half_open_is_found_out_when_no_ping_gets_out_any_more() -> None:
    """The user's voice has filled every buffer on the way."""
    async with conversation(THREE, chaos=calm, reconnect=None, raises=(SessionClosed,), deadlines=QUICK) as talk:
        talk.proxy.newest.stall()
        for _ in range(200):
            await talk.session.send_audio(speech(1000))
        await anyio.sleep_forever()
    assert "the network took nothing for 0.2 s" in str(talk.failure)


# ------------------------------------------------------------------------------------------------------- it goes on


@pytest.mark.parametrize("kind", KINDS)
async def test_a_reply_is_heard_to_its_end_over_two_connections(kind: Kind) -> None:
    """Whatever ended the first one, in the middle of a frame of its audio."""
    async with conversation(THREE, chaos=calm, deadlines=QUICK) as talk:
        talk.proxy.newest.change(down=Way(fault=Fault(kind, 40_000)))
        talk.sink.play_all()
        reply = await talk.ask()
        await reply.done()
        await talk.session.quiet()
        assert talk.proxy.counts == {"connection": 2, kind: 1}


async def test_the_port_is_closed_for_a_while() -> None:
    """What is asked meanwhile is answered afterwards."""
    async with conversation(THREE, chaos=calm) as talk:
        news = talk.session.events()
        talk.sink.play_all()
        talk.proxy.refuse()
        talk.proxy.newest.cut("reset")
        reply = await talk.ask()
        async for event in news:
            if isinstance(event, Transition) and isinstance(event.event, link.Failed):
                break
        talk.proxy.accept()
        assert await reply.done()


async def test_the_next_connection_is_accepted_and_never_answered() -> None:
    """It is given up in time; the one after it works."""

    def plan(number: int) -> Conditions:
        return MUTE if number == 1 else Conditions()

    async with conversation(THREE, chaos=plan, deadlines=Deadlines(connect=0.3)) as talk:
        talk.sink.play_all()
        talk.proxy.newest.cut("hang up")
        reply = await talk.ask()
        assert await reply.done()
        assert talk.proxy.counts["connection"] == 3


# ----------------------------------------------------------------------------------------------------- closing returns


@pytest.mark.parametrize("full", [False, True], ids=["empty", "full"])
@pytest.mark.parametrize("speaking", [False, True], ids=["silent", "speaking"])
async def test_closing_returns_while_the_network_is_stalled(*, full: bool, speaking: bool) -> None:
    """Before the keepalive has noticed anything. The record is settled; what the server holds nobody can know."""
    async with conversation(THREE, chaos=calm, deadlines=Deadlines(close=0.1)) as talk:
        if speaking:
            await talk.ask()
            await talk.sink.play(300)
        talk.proxy.newest.stall()
        for _ in range(200 * full):
            await talk.session.send_audio(speech(1000))
    assert talk.cut_off
    assert [message.heard_ms for message in talk.said()] == [300] * speaking


@pytest.mark.parametrize("kind", ["hang up", "reset", "stall", "corrupt"])
@pytest.mark.parametrize("after", [0, 200])
async def test_the_network_breaks_while_the_session_closes(kind: Kind, after: int) -> None:
    """Between the last cut and the goodbye: there is nobody to be told, and it returns."""
    async with conversation(THREE, chaos=calm, deadlines=Deadlines(close=0.1, acknowledge=0.1)) as talk:
        await talk.ask()
        await talk.sink.play(300)
        await talk.log.wait("response.done")
        talk.proxy.newest.change(up=Way(fault=Fault(kind, after)))
        talk.cut_off = True
    assert [message.heard_ms for message in talk.said()] == [300]


async def test_device_and_network_go_together() -> None:
    deadlines = Deadlines(close=0.1, acknowledge=0.1)
    async with conversation(THREE, chaos=calm, raises=(SinkLost,), deadlines=deadlines) as talk:
        await talk.ask()
        await talk.sink.play(300)
        await talk.reaches("response", "finishing")
        talk.proxy.newest.stall()
        talk.sink.lose("it was unplugged")
        await anyio.sleep_forever()
    assert [(message.heard_ms, message.confirmed) for message in talk.said()] == [(300, False)]


async def test_cancelled_while_the_network_is_stalled() -> None:
    async with conversation(THREE, chaos=calm, deadlines=Deadlines(close=0.1)) as talk:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group():
                await talk.ask()
                await talk.sink.play(300)
                talk.proxy.newest.stall()
                scope.cancel()
    assert [message.heard_ms for message in talk.said()] == [300]


# ---------------------------------------------------------------------------------------------------- it never begins


async def begin_through(plan: Plan, deadlines: Deadlines = QUICK, *, refuse: bool = False) -> None:
    """Enter a session, have it say one thing, and leave it."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(Server(replies("Hello."), voice=ToneVoice(60)))
        proxy = await stack.enter_async_context(ChaosProxy(urlsplit(server.url).port or 0, plan))
        if refuse:
            proxy.refuse()
        provider = OpenAIRealtime(api_key="", websocket_base_url=f"ws://{HOST}:{proxy.port}/v1")
        session = Session(provider, sink=MemorySink(), reconnect=None, deadlines=deadlines)
        await stack.enter_async_context(session)
        reply = await session.ask("Hello?")
        await reply.done()


async def test_closed_port() -> None:
    with pytest.raises(ConnectionFailed, match="nothing answers") as failed:
        await begin_through(calm, refuse=True)
    assert failed.value.retryable


async def test_accepted_and_never_answered() -> None:
    with pytest.raises(ConnectionFailed, match=r"in time|within 0\.1 s"):
        await begin_through(always(MUTE), Deadlines(connect=0.1))


@pytest.mark.parametrize("kind", ["hang up", "reset", "stall", "corrupt"])
@pytest.mark.parametrize("way", ["up", "down"])
async def test_trouble_in_the_handshake_is_told_or_does_no_harm(kind: Kind, way: str) -> None:
    """At any byte of it, and of what comes first. Some that are corrupt nobody reads, such as those of a date."""
    ended: Counter[type[Exception]] = Counter()

    async def attempt(after: int) -> None:
        wrong = Way(fault=Fault(kind, after))
        conditions = Conditions(up=wrong) if way == "up" else Conditions(down=wrong)
        try:
            await begin_through(always(conditions), Deadlines(connect=0.5, keepalive=0.2, close=0.2))
        except (ConnectionFailed, SessionClosed) as error:
            ended[type(error)] += 1

    async with anyio.create_task_group() as tasks:
        for after in [*range(0, 400, 57), 600, 1000, 2000]:
            tasks.start_soon(attempt, after)
    assert ended[ConnectionFailed]


# ------------------------------------------------------------------------------------------------------- all of it


@pytest.mark.parametrize("number", range(8))
async def test_any_weather(number: int) -> None:
    """A conversation with barge-in, each of its first connections with another trouble: the invariants hold."""
    conditions = weather(number, within=60_000)

    def plan(index: int) -> Conditions:  # the first has to come to be, and so has one in the end
        return conditions(index) if index in {1, 2} else Conditions()

    async with conversation(THREE, chaos=plan, sink=PacedSink(), deadlines=QUICK) as talk:
        talk.proxy.newest.change(up=conditions(0).up, down=conditions(0).down)
        await talk.ask()
        await talk.session.send_audio(speech(100))
        await talk.session.send_audio(bytes(48_000))
        await talk.reaches("message", "playing")
        await anyio.sleep(number % 5 / 10)
        await talk.session.interrupt()
        await talk.session.quiet()
