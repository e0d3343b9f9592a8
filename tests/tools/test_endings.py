"""What becomes of functions that run when the connection is lost, the session ends, or the process does."""

import gc
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from rtactors import mail
from rtactors.companion import Company
from rtactors.errors import SessionClosed
from rtactors.journal import MemoryJournal
from rtactors.limits import Bounds, Deadlines
from rtactors.loopback.script import Call as Calls
from rtactors.loopback.script import Script, replies
from rtactors.loopback.server import MemoryServer
from rtactors.providers import OpenAIRealtime
from rtactors.providers.base import Capabilities
from rtactors.reply import ReplyRecord
from rtactors.session import Session
from rtactors.session_events import CallsComplete, FunctionCalled, Interrupted, SessionEvent, Transition
from rtactors.sinks import MemorySink
from rtactors.testing.conversation import ALL_EVENTS, Conversation, conversation
from rtactors.tools import Call, tool
from rtactors.tools.calls import _Call, _Round  # pyright: ignore[reportPrivateUsage] to count what is left
from rtactors.tools.runner import Runner
from tests.scenarios.conftest import Begin

pytestmark = pytest.mark.anyio

RAIN = "It rains in Oslo."
CUT_OFF = "Cancelled: the conversation ended. What the function does may be done in part."
NOT_RUN = "Cancelled: the conversation ended. The function was not run."


def with_tools(*tools: Callable[..., Any]) -> dict[str, Any]:
    return {"session": {"tools": tools}}


def outputs(session: Session) -> list[str]:
    return [item.output for item in session.history if item.kind == "function_call_output"]


def told(talk: Conversation) -> list[list[str]]:
    """The outputs that each connection was told of."""
    return [
        [
            record.json["item"]["output"]
            for record in wire.log.received
            if record.type == "conversation.item.create" and record.json["item"]["type"] == "function_call_output"
        ]
        for wire in talk.server.sessions
    ]


# --------------------------------------------------------------------------------------------------- the connection


async def test_connection_is_lost_while_a_function_runs(begin: Begin) -> None:
    """It goes on; its output goes to the next server, and so does the request for a reply. It runs once."""
    finish, runs = anyio.Event(), 0

    async def work() -> str:
        nonlocal runs
        runs += 1
        await finish.wait()
        return "done"

    async with begin(replies(Calls(name="work"), RAIN), **with_tools(work)) as talk:
        talk.sink.play_all()
        await talk.ask()
        await talk.log.wait("response.done")
        await talk.reaches("call", "running")
        await talk.wire.close(1001, "bye")
        await talk.connected(2)
        finish.set()
        await talk.log.wait("response.done")
        await talk.session.quiet()
        assert told(talk) == [[], ["done"]]
        assert runs == 1
        assert talk.held() == talk.heard()
        assert [message.heard_text for message in talk.said()] == [RAIN]
        assert [item.name or item.output for item in talk.items() if item.call_id] == ["work", "done"]


async def test_connection_is_lost_before_the_model_could_go_on(begin: Begin) -> None:
    async def work(call: Call) -> str:  # noqa: ARG001 - the app's
        await talk.wire.close(1001, "bye")
        return "done"

    async with begin(replies(Calls(name="work"), RAIN), **with_tools(work)) as talk:
        talk.sink.play_all()
        await talk.ask()
        await talk.connected(2)
        await talk.log.wait("response.done")
        await talk.session.quiet()
        assert [message.heard_text for message in talk.said()] == [RAIN]
        assert outputs(talk.session) == ["done"]
        assert told(talk)[-1] == ["done"]


async def test_output_that_the_lost_server_had_is_told_again_and_not_made_again(begin: Begin) -> None:
    runs = 0

    async def work() -> str:
        nonlocal runs
        runs += 1
        return "done"

    async with begin(replies(Calls(name="work"), RAIN), **with_tools(work)) as talk:
        talk.sink.play_all()
        await talk.ask()
        await talk.log.wait("response.done", 2)
        await talk.session.quiet()
        await talk.wire.close(1001, "bye")
        await talk.connected(2)
        await talk.session.quiet()
        assert (told(talk), runs) == ([["done"], ["done"]], 1)
        assert len(talk.sent("response.create")) == 0


# ------------------------------------------------------------------------------------------------------ the session


async def test_a_session_that_is_left_lets_functions_finish(begin: Begin) -> None:
    """So that no order is half made; those that may be cancelled are, and who waits for a place is not run."""
    ended, left = list[str](), anyio.Event()

    async def order() -> str:
        await left.wait()
        ended.append("order")
        return "ordered"

    @tool(on_interrupt="cancel")
    async def search() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append("search")
            left.set()

    script = replies([Calls(name="order"), Calls(name="search"), Calls(name="order")], RAIN)
    bounds = Bounds(events=ALL_EVENTS, calls=2)
    async with begin(script, bounds=bounds, **with_tools(order, search)) as talk:
        await talk.ask()
        await talk.log.wait("response.done")
        await talk.tells(FunctionCalled, 3)
        await talk.session.quiet()
    assert ended == ["search", "order"]
    assert sorted(outputs(talk.session)) == [NOT_RUN, CUT_OFF, "ordered"]
    assert sorted(told(talk)[0]) == [NOT_RUN, CUT_OFF, "ordered"]
    assert len(talk.sent("response.create")) == 1


async def test_a_session_that_is_left_waits_only_so_long(begin: Begin) -> None:
    stopped = anyio.Event()

    async def order() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            stopped.set()

    script, deadlines = replies(Calls(name="order"), RAIN), Deadlines(close=0.1)
    async with begin(script, deadlines=deadlines, **with_tools(order)) as talk:
        await talk.ask()
        await talk.log.wait("response.done")
        await talk.reaches("call", "running")
    assert stopped.is_set()
    assert outputs(talk.session) == [CUT_OFF]


@pytest.mark.sockets  # for threads time is real
async def test_a_session_that_is_left_waits_for_no_thread() -> None:
    finish, ended, seen = threading.Event(), threading.Event(), list[bool]()

    def block(call: Call) -> str:
        finish.wait()
        seen.append(call.over)
        call.progress("too late")
        ended.set()
        return "too late"

    script, deadlines = replies(Calls(name="block"), RAIN), Deadlines(close=0.1)
    try:
        async with conversation(script, sockets=True, deadlines=deadlines, **with_tools(block)) as talk:
            await talk.ask()
            await talk.log.wait("response.done")
            await talk.reaches("call", "running")
        assert outputs(talk.session) == [CUT_OFF]
        assert not ended.is_set()
    finally:
        finish.set()
    await anyio.to_thread.run_sync(ended.wait)
    assert seen == [True]


async def test_a_session_that_ends_on_its_own(begin: Begin) -> None:
    stopped = anyio.Event()

    @tool(on_interrupt="cancel")
    async def search() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            stopped.set()

    async with begin(replies(Calls(name="search")), reconnect=None, raises=SessionClosed, **with_tools(search)) as talk:
        await talk.ask()
        await talk.reaches("call", "running")
        await talk.wire.close(1001, "bye")
        await anyio.sleep_forever()
    assert stopped.is_set()
    assert outputs(talk.session) == [CUT_OFF]


class Fatal(BaseException):
    """Not for anybody to recover from."""


async def test_what_is_no_exception_ends_the_session() -> None:
    async def fatal() -> None:
        raise Fatal

    async def talk() -> None:
        async with conversation(replies(Calls(name="fatal")), **with_tools(fatal)) as talk:
            await talk.ask()
            await anyio.sleep_forever()

    with pytest.raises((Fatal, BaseExceptionGroup)) as caught:
        await talk()
    assert isinstance(caught.value, Fatal) or caught.value.subgroup(Fatal)


class Played:
    """A session, as far as the runner knows: without a server, which would be slow with so many calls."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}
        self.asked = 0
        self.ends: Counter[str] = Counter()

    def tell(self, message: mail.ContextMail) -> None:
        match message:
            case mail.AnswerCall():
                assert message.call_id not in self.answers
                self.answers[message.call_id] = message.output
            case mail.RequestReply():
                self.asked += 1
                message.reply.resolve("completed", interrupted=False, failure=None)
            case _:
                assert isinstance(message, mail.AddItem)

    def publish(self, event: SessionEvent) -> None:
        if isinstance(event, Transition):
            self.ends[event.after] += 1

    def company(self) -> Company:
        can = Capabilities(input_rate=24_000, output_rate=24_000, cancels_on_speech=True, replies_to_speech=True)
        return Company(self.tell, self.publish, str, can, Deadlines(), Bounds(calls=50))


def kept() -> list[object]:
    return [each for each in gc.get_objects() if isinstance(each, _Call | _Round | Call | ReplyRecord)]


async def test_thousands_of_calls_leave_nothing_behind() -> None:
    @tool(on_interrupt="cancel")
    async def work(n: int, call: Call) -> int:
        await anyio.sleep(n % 7)
        await call.progress("half")
        if n % 5 == 0:
            raise ValueError(n)
        return n

    @tool(timeout=2)
    async def hang() -> None:
        await anyio.sleep_forever()

    gc.collect()
    before = {id(each) for each in kept()}
    played = Played()
    runner = Runner([work, hang])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(runner.run, played.company())
        for response in map(str, range(100)):
            for n in range(50):
                call_id = f"{response}-{n}"
                name, arguments = ("hang", "{}") if n == 49 else ("work", f'{{"n": {n}}}')
                runner.hear(FunctionCalled(call_id, name, arguments, response_id=response))
            runner.hear(CallsComplete(response))
            await anyio.sleep(1)
            if response.endswith("7"):
                runner.hear(Interrupted("user", (), anyio.current_time()))
        await anyio.sleep(60)
        assert (len(played.answers), played.asked) == (5000, 100)
        ends = played.ends
        assert ends["answered"] + ends["failed"] + ends["refused"] + ends["stopped"] == 5000
        assert all(ends[end] > 50 for end in ("answered", "failed", "refused", "stopped"))
        gc.collect()
        assert [each for each in kept() if id(each) not in before] == []
        running = [task.name for task in anyio.get_running_tasks() if task.name and "rtactors.tools.calls" in task.name]
        assert running == []
        tasks.cancel_scope.cancel()


# ------------------------------------------------------------------------------------------------------ the process


def after_a_kill(journal: MemoryJournal, session: Session) -> tuple[MemoryJournal, str]:
    """What is left if the process ends at this moment."""
    left = MemoryJournal()
    left.records = {id: stored[:] for id, stored in journal.records.items()}
    return left, session.id


async def killed_while_it_runs(server: MemoryServer, *tools: Callable[..., Any]) -> tuple[MemoryJournal, str]:
    journal = MemoryJournal()
    provider = OpenAIRealtime(api_key="")
    async with Session(provider, sink=MemorySink(), journal=journal, connect=server.connect, tools=tools) as session:
        events = session.events()
        await session.ask("Work!")
        async for event in events:
            if isinstance(event, Transition) and event.chart == "call" and event.after == "running":
                break
        await session.quiet()
        return after_a_kill(journal, session)
    raise AssertionError


def working(*, idempotent: bool, finish: anyio.Event, runs: list[str]) -> Callable[..., Any]:
    @tool(idempotent=idempotent)
    async def work(call: Call) -> str:
        runs.append(call.id)
        await finish.wait()
        return "done"

    return work


@pytest.mark.parametrize("idempotent", [False, True])
async def test_a_resumed_session_and_a_call_that_may_have_been_run(*, idempotent: bool) -> None:
    finish, runs = anyio.Event(), list[str]()
    script: Script = replies(Calls(name="work"), RAIN)
    async with MemoryServer(script) as server:
        work = working(idempotent=idempotent, finish=finish, runs=runs)
        left, session_id = await killed_while_it_runs(server, work)
        assert len(runs) == 1
        finish.set()
        session = Session.resume(
            left, session_id, OpenAIRealtime(api_key=""), sink=MemorySink(), connect=server.connect, tools=[work]
        )
        async with session:
            log = server.sessions[-1].log
            await log.wait("response.done")
            await session.quiet()
            (output,) = outputs(session)
            if idempotent:
                assert (output, runs) == ("done", runs[:1] * 2)
            else:
                assert output.startswith("Error: the conversation was broken off after this call was made")
                assert len(runs) == 1
            assert session.history[-1].heard_text == RAIN
            created = [item.json["item"] for item in log.received if item.type == "conversation.item.create"]
            assert [item["output"] for item in created if "output" in item] == [output]


async def test_a_resumed_session_and_a_function_that_is_gone() -> None:
    """Whoever resumes without any tools answers by hand, as ever."""
    finish, runs = anyio.Event(), list[str]()
    async with MemoryServer(replies(Calls(name="work"), RAIN)) as server:
        left, session_id = await killed_while_it_runs(server, working(idempotent=True, finish=finish, runs=runs))
        provider = OpenAIRealtime(api_key="")
        session = Session.resume(left, session_id, provider, sink=MemorySink(), connect=server.connect)
        async with session:
            async for event in session.events():
                if isinstance(event, FunctionCalled):
                    assert event.resumed
                    await session.answer_call(event.call_id, "by hand")
                    break
            assert outputs(session) == ["by hand"]


@pytest.mark.sockets  # for threads time is real
@pytest.mark.parametrize("error", [SystemExit(2), KeyboardInterrupt()], ids=repr)
async def test_a_thread_that_wants_to_end_the_program_ends_nothing(error: BaseException) -> None:
    """As what a command line parses does: asyncio would wait for ever for a thread that raises it."""

    def leave() -> None:
        raise error

    script = replies(Calls(name="leave"), RAIN)
    async with conversation(script, sockets=True, **with_tools(leave)) as talk:
        talk.sink.play_all()
        await talk.ask()
        await talk.reaches("message", "full")
        await talk.session.quiet()
    assert outputs(talk.session) == [
        f"Error: RuntimeError: the function wanted to end the program: {type(error).__name__}"
    ]
