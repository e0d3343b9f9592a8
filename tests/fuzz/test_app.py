"""An app gone mad: whatever it passes to a session is taken or refused with a clear error, and the session lives."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtactors import RtactorsError, Session
from rtactors.history import HistoryItem
from rtactors.journal import MemoryJournal
from rtactors.limits import Bounds
from rtactors.loopback.script import Call, Reply, Say, Turn
from rtactors.loopback.server import MemoryServer
from rtactors.providers import OpenAIRealtime
from rtactors.session_events import Problem
from rtactors.sinks import MemorySink, PacedSink
from rtactors.testing.clock import BackendName, Deadlock, run_virtual
from tests.fuzz.grammar import CALLS, ITEMS
from tests.fuzz.inputs import count, inputs

SHORT = 5000
"""Characters that a text may have here."""

TEXTS = st.text(max_size=20) | st.sampled_from(["", "\x00", "x" * SHORT, "é" * SHORT, *ITEMS, *CALLS])
BAD_TEXTS = st.sampled_from(["\ud800", "ok \udfff", "x" * (SHORT + 1)])
OTHERS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.binary(max_size=5),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
    st.builds(object),
    st.just(Exception),
)


def mostly(good: st.SearchStrategy[Any], *bad: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """One in ten is bad."""
    return st.integers(0, 9).flatmap(lambda chance: good if chance else st.one_of(bad))


VALUES = mostly(TEXTS, BAD_TEXTS, OTHERS)
ROLES = mostly(st.sampled_from(["user", "system", "assistant"]), VALUES)
AUDIO = mostly(
    st.sampled_from([b"", b"\1", bytes(960), bytes(961), bytearray(960), memoryview(bytes(960)), bytes(10**6)]),
    VALUES,
)
ITEMS_OF_A_HISTORY = st.one_of(
    st.builds(
        HistoryItem,
        id=VALUES,
        kind=st.sampled_from(["message", "function_call", "function_call_output", "other"]) | VALUES,
        role=st.sampled_from(["user", "system", "assistant", None]) | VALUES,
        heard_text=VALUES,
        status=st.sampled_from(["completed", "incomplete"]) | VALUES,
        call_id=VALUES,
        name=VALUES,
        arguments=VALUES,
        output=VALUES,
    ),
    st.builds(HistoryItem, id=TEXTS, role=st.sampled_from(["user", "system", "assistant"]), heard_text=TEXTS),
)
CALLED: dict[str, tuple[st.SearchStrategy[Any], ...]] = {
    "ask": (VALUES, VALUES),
    "generate_reply": (VALUES,),
    "answer_call": (VALUES, VALUES),
    "send_audio": (AUDIO,),
    "interrupt": (mostly(st.none(), VALUES),),
    "add": (VALUES, ROLES, VALUES),
    "remove": (VALUES,),
    "set_history": (mostly(st.lists(ITEMS_OF_A_HISTORY, max_size=3), VALUES),),
}
NAMES = {"ask": ("text", "instructions"), "generate_reply": ("instructions",), "add": ("text", "role", "after")}
STEPS = st.lists(
    st.one_of([st.tuples(st.just(name), st.tuples(*values)) for name, values in CALLED.items()]),
    min_size=3,
    max_size=20,
)


def script(turn: Turn) -> Reply:
    return Reply(outputs=(Say(text="Well."), Call(name="look")) if turn.index % 2 else (Say(text="Well."),))


async def use(steps: list[tuple[str, tuple[Any, ...]]]) -> None:
    async with MemoryServer(script) as server:
        provider = OpenAIRealtime(api_key="", turn_detection=None)
        session = Session(provider, sink=PacedSink(), connect=server.connect, bounds=Bounds(text=SHORT))
        events = session.events()
        async with session:
            for name, values in steps:
                arguments = dict(zip(NAMES.get(name, ()), values, strict=False))
                call = getattr(session, name)
                refusal = ""
                try:
                    await (call(**arguments) if arguments else call(*values))
                except (TypeError, ValueError) as error:
                    refusal = str(error)
                count("an app's calls", "refused" if refusal else "taken")
                assert len(refusal) < 300  # it names what is wrong, and doesn't repeat it all
            await session.quiet()
            reply = await session.ask("Still there?")
            assert [message.heard_text for message in await reply.done()] == ["Well."]
            await session.quiet()
        problems = [event.message for event in [event async for event in events] if isinstance(event, Problem)]
        # What was taken, the server could read.
        assert not [record for record in server.sessions[0].log.received if not record.type]
        assert not [problem for problem in problems if "Invalid event" in problem]


@inputs(150, share=0.05)
@given(STEPS, st.sampled_from(("asyncio", "trio")))
def test_an_app_gone_mad(steps: list[tuple[str, tuple[Any, ...]]], backend: BackendName) -> None:
    try:
        run_virtual(use, steps, backend=backend, seed=0)
    except Deadlock as deadlock:
        raise AssertionError(str(deadlock)) from None


@pytest.mark.parametrize("method", ["ask", "add", "remove", "answer_call", "set_history", "send_audio"])
def test_a_closed_session_says_that_it_is(method: str) -> None:
    values: dict[str, tuple[Any, ...]] = {"set_history": ([],), "send_audio": (b"",), "answer_call": ("c", "o")}

    async def main() -> None:
        session = Session(OpenAIRealtime(api_key=""), sink=PacedSink())
        with pytest.raises(RtactorsError, match="not open"):
            await getattr(session, method)(*values.get(method, ("x",)))

    run_virtual(main)


@pytest.mark.parametrize("journal", ["calls.db", 7, object()])
def test_a_journal_that_is_none_is_refused_at_once(journal: Any) -> None:
    with pytest.raises(TypeError, match="SqliteJournal"):
        Session(OpenAIRealtime(api_key=""), sink=MemorySink(), journal=journal)
    with pytest.raises(TypeError, match="SqliteJournal"):
        Session.resume(journal, "call 1", OpenAIRealtime(api_key=""), sink=MemorySink())


@pytest.mark.parametrize(("session_id", "error"), [("", ValueError), ("\ud800", ValueError), (b"x", TypeError)])
def test_a_session_id_that_is_none_is_refused_at_once(session_id: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="session_id"):
        Session(OpenAIRealtime(api_key=""), sink=MemorySink(), journal=MemoryJournal(), session_id=session_id)
