"""However a session ends, or never begins: at once, with its cause, and nobody is left waiting."""

import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext

import anyio
import pytest
from anyio.lowlevel import checkpoint

from rtactors import ConnectionFailed, Deadlines, Reply, ReplyFailed, Session, SessionClosed, SinkLost, mail
from rtactors.loopback.faults import Faults, delay
from rtactors.loopback.script import Timing, replies
from rtactors.loopback.server import MemoryServer
from rtactors.providers import OpenAIRealtime
from rtactors.providers.base import Endpoint
from rtactors.sinks import MemorySink, PacedSink
from rtactors.testing.clock import BackendName, real_backends, run_virtual
from rtactors.testing.conversation import conversation
from rtactors.testing.stepped_sink import SteppedSink
from rtactors.transports.base import Connect, Socket
from tests.scenarios.by_hand import MESSAGE, ServerByHand
from tests.scenarios.test_interruption import FIRST, SECOND

pytestmark = pytest.mark.anyio


def session_with(connect: Connect, deadlines: Deadlines = Deadlines()) -> Session:  # noqa: B008 - immutable
    return Session(OpenAIRealtime(api_key=""), sink=PacedSink(), connect=connect, reconnect=None, deadlines=deadlines)


# ---------------------------------------------------------------------------------------------- it does not begin


@asynccontextmanager
async def never(_endpoint: Endpoint) -> AsyncGenerator[Socket]:
    await anyio.sleep_forever()
    raise AssertionError
    yield


async def test_cancelled_while_connecting() -> None:
    with anyio.move_on_after(1):
        async with session_with(never):
            pytest.fail("there is nothing to talk to")
    assert anyio.current_time() == 1


@pytest.mark.parametrize("passes", range(-1, 12))
@pytest.mark.parametrize("backend", [name for name, _ in real_backends()])
def test_cancelled_at_any_turn_of_entering(backend: BackendName, passes: int) -> None:
    """Also before it has begun, with actors that have not had their first turn: nobody waits for ever."""

    async def run() -> None:
        async with MemoryServer(replies(FIRST)) as server:
            session = session_with(server.connect)
            with anyio.CancelScope() as scope:

                async def soon() -> None:
                    for _ in range(passes):
                        await checkpoint()
                    scope.cancel()

                if passes < 0:
                    scope.cancel()
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(soon)
                    async with session:
                        await anyio.sleep_forever()
            await session.quiet()

    for seed in range(8):
        run_virtual(run, backend=backend, seed=seed)


@pytest.mark.parametrize("seconds", [2, 25])
async def test_a_deadline_bounds_the_opening(seconds: float) -> None:
    with pytest.raises(ConnectionFailed, match="in time") as failed:
        async with session_with(never, Deadlines(connect=seconds)):
            pytest.fail("there is nothing to talk to")
    assert failed.value.retryable
    assert anyio.current_time() == seconds


@pytest.mark.sockets
@pytest.mark.parametrize("backend", [name for name, _ in real_backends()])
def test_the_deadline_is_that_of_the_websocket_too(backend: BackendName) -> None:
    """`websockets` gives up after 10 s by itself. The clock is virtual: it does not wait for a server that is mute."""

    async def run(port: int) -> None:
        provider = OpenAIRealtime(api_key="", websocket_base_url=f"ws://127.0.0.1:{port}/v1")
        with pytest.raises(ConnectionFailed):
            async with Session(provider, sink=MemorySink(), deadlines=Deadlines(connect=25)):
                pytest.fail("nobody has answered")
        assert anyio.current_time() == 25

    with socket.create_server(("127.0.0.1", 0)) as mute:
        run_virtual(run, mute.getsockname()[1], backend=backend)


@pytest.mark.parametrize("retryable", [True, False])
async def test_the_app_learns_whether_it_may_try_again(*, retryable: bool) -> None:
    @asynccontextmanager
    async def refuses(_endpoint: Endpoint) -> AsyncGenerator[Socket]:
        raise ConnectionFailed("the server is busy", retryable=retryable)
        yield

    with pytest.raises(ConnectionFailed, match="busy") as failed:
        async with session_with(refuses):
            pytest.fail("there is nothing to talk to")
    assert failed.value.retryable is retryable


@pytest.mark.parametrize("backend", [name for name, _ in real_backends()])
def test_a_session_can_be_made_outside_of_an_event_loop(backend: BackendName) -> None:
    server = ServerByHand()
    session = session_with(server.connect)
    stream = session.events()

    async def run() -> None:
        async with session:
            reply = await session.ask("Are you there?")
            await session.interrupt(reply)
            with pytest.raises(ReplyFailed):
                await reply.done()
        assert [event async for event in stream]

    run_virtual(run, backend=backend)


# ----------------------------------------------------------------------------------------- nobody is left waiting


async def leaves(_session: Session) -> None:
    """The block is over."""


async def fails(_session: Session) -> None:
    raise ZeroDivisionError


async def crashes(session: Session) -> None:
    """An actor is told of something that can't be."""
    inbox = session._actors.context.inbox  # pyright: ignore[reportPrivateUsage] - no app and no server can do that
    inbox.send(mail.Generated("never announced", 0, "", "completed"))
    await anyio.sleep_forever()


@pytest.mark.parametrize("started", [True, False], ids=["speaking", "asked"])
@pytest.mark.parametrize(
    ("end", "cause"), [(leaves, None), (fails, ZeroDivisionError), (crashes, KeyError)], ids=["left", "failed", "crash"]
)
async def test_who_waits_outside_of_the_block_is_told(
    end: Callable[[Session], Awaitable[None]], cause: type[Exception] | None, *, started: bool
) -> None:
    """The server never ends what it has begun, nor answers what it is asked."""
    server = ServerByHand()
    session = session_with(server.connect)
    asked: list[Reply] = []
    told: list[str] = []
    failures: list[type[Exception]] = []

    async def wait_for(name: str, wait: Awaitable[object]) -> None:
        try:
            await wait
        except ReplyFailed:
            name = f"{name} failed"
        told.append(name)

    async def read() -> None:
        async for _ in session.events():
            pass

    async with anyio.create_task_group() as outside:
        try:
            async with session:
                reply = await session.generate_reply()
                asked.append(reply)
                if started:
                    await server.begin(await server.receive("response.create"))
                    await server.announce(MESSAGE)
                    await server.speak(5000)
                    await anyio.sleep(0.5)
                outside.start_soon(wait_for, "reply", reply.done())
                outside.start_soon(wait_for, "quiet", session.quiet())
                outside.start_soon(wait_for, "events", read())
                await anyio.sleep(0.1)
                await end(session)
        except (ZeroDivisionError, KeyError) as error:
            failures.append(type(error))
        outside.cancel_scope.deadline = anyio.current_time() + 0.1
    (reply,) = asked
    stopped = started and end is not crashes  # and what was heard of it stands in the record
    assert sorted(told) == ["events", "quiet", "reply" if stopped else "reply failed"]
    assert failures == [cause] * (cause is not None)
    assert (reply.over, reply.status, reply.interrupted) == (True, "cancelled" if stopped else "failed", stopped)
    await session.quiet()
    await read()
    with nullcontext() if stopped else pytest.raises(ReplyFailed):
        await reply.done()
    with pytest.raises(SessionClosed):
        await session.ask("Anybody?")


async def test_an_app_that_uses_a_lost_session_gets_one_error() -> None:
    """It tidies up as it leaves, and is told that there is nothing left to tidy up."""
    server = ServerByHand()

    async def app() -> None:
        async with session_with(server.connect) as session:
            try:
                await server.socket.close(1001, "going away")
                await anyio.sleep_forever()
            finally:
                await session.ask("Anybody?")

    with pytest.raises(SessionClosed, match="1001"):
        await app()


@pytest.mark.parametrize("tidies_up", [False, True])
async def test_an_app_that_waits_for_a_reply_of_a_lost_session_gets_one_error(*, tidies_up: bool) -> None:
    """The same one, whether the reply tells it first or, while the app tidies up, the session has done so, too."""
    server = ServerByHand()

    async def app() -> None:
        async with session_with(server.connect) as session:
            reply = await session.generate_reply()
            await server.socket.close(1001, "going away")
            try:
                await reply.done()
            finally:
                if tidies_up:
                    await anyio.sleep(1)

    with pytest.raises(SessionClosed, match="1001"):
        await app()


async def test_a_session_is_entered_once() -> None:
    async with MemoryServer(replies(FIRST)) as server:
        session = session_with(server.connect)
        async with session:
            reply = await session.ask("Hello?")
            await reply.done()
        with pytest.raises(SessionClosed, match="entered once"):
            async with session:
                pytest.fail("it is over")
        assert len(server.sessions) == 1
        assert [item.heard_text for item in session.history] == ["Hello?", FIRST]


# ------------------------------------------------------------------------------------------------- a true record


async def test_nothing_begins_while_a_session_closes() -> None:
    """The cut's acknowledgement takes its time; meanwhile the server answers what the user has said."""
    faults = Faults(delay("conversation.item.truncated", ms=2500))
    async with conversation(replies(FIRST, SECOND), sink=PacedSink(), timing=Timing(), faults=faults) as talk:
        await talk.ask()
        await talk.reaches("message", "playing")
        await anyio.sleep(0.5)
        await talk.speak()
        await talk.reaches("message", "partial")
        await talk.fall_silent()
    assert len(talk.log.find("response.created")) == 2
    (message,) = talk.said()
    assert talk.heard() == talk.held() == [(message.id, message.heard_ms)]
    assert len(talk.ears.segments) == 1


class ClingingSink(SteppedSink):
    """Never lets go of a message that is to stop."""

    def clear(self, message_id: str) -> None: ...


async def test_a_sink_that_never_lets_go_is_lost() -> None:
    """What was confirmed before stays; what can't be heard any more was never said."""
    async with conversation(replies(FIRST, SECOND), sink=ClingingSink(), raises=(SinkLost,)) as talk:
        await talk.ask()
        await talk.sink.play(500)
        await talk.session.interrupt()
        await talk.reaches("message", "partial")
        await talk.ask()
        await anyio.sleep_forever()
    assert "audio device" in str(talk.failure)
    (message,) = talk.said()
    assert talk.heard() == talk.held() == [(message.id, 500)]
    assert (message.heard_ms, message.interrupted, message.confirmed) == (500, True, False)
