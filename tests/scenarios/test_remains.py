"""What remains of a conversation: the same record every time, and nothing that lives on."""

import gc
from collections import Counter
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from rtactors import SessionClosed, SinkLost
from rtactors.loopback.script import Gate, Say, replies
from rtactors.testing.clock import BackendName, run_virtual
from rtactors.testing.conversation import Conversation, conversation
from rtactors.testing.simulation import Plan, plan_of, simulate
from rtactors.testing.simulation.plan import Step
from tests.scenarios.conftest import Begin
from tests.scenarios.test_interruption import FIRST, THREE

backends = pytest.mark.parametrize("backend", ["asyncio", "trio"])

# ------------------------------------------------------------------------------------------ the same, every time


def _record(plan: Plan) -> list[Any]:
    """All that is known of it in the end."""
    outcome = simulate(plan)
    assert outcome.evidence
    evidence = outcome.evidence
    items = [connection.items for connection in evidence.connections]
    return [outcome.story.lines(), evidence.history, items, [*map(str, evidence.segments)]]


@pytest.mark.parametrize("seed", range(0, 60, 3))
def test_the_same_conversation_twice_is_the_same(seed: int) -> None:
    """Virtual time and a seed leave nothing to chance: events, states, effects, history and wire, to the second."""
    once, again = _record(plan_of(seed)), _record(plan_of(seed))
    assert once == again
    assert once[0]


def test_another_order_of_turns_is_another_run_with_the_same_outcome() -> None:
    """What differs is who took its turn first, not what was heard or what is remembered of it."""
    steps = (Step(), Step(do="speak", wait_ms=1700), Step(do="hush", wait_ms=300))
    runs = [_record(Plan(steps=steps, turns=turns)) for turns in range(8)]
    assert len({str(run[0]) for run in runs}) > 1
    assert len({str(run[1:3]) for run in runs}) == 1


# ---------------------------------------------------------------------------------------------- nothing lives on


async def _to_the_end(talk: Conversation) -> None:
    talk.sink.play_all()
    await (await talk.ask()).done()


async def _interrupted(talk: Conversation) -> None:
    await talk.ask()
    await talk.sink.play(500)
    await talk.speak()
    await talk.session.quiet()


async def _left_in_the_middle(talk: Conversation) -> None:
    await talk.ask()
    await talk.sink.play(100)


async def _hung_up(talk: Conversation) -> None:
    await talk.ask()
    await talk.sink.play(100)
    await talk.wire.close(1001, "bye")
    talk.sink.play_all()
    await anyio.sleep_forever()


async def _unplugged(talk: Conversation) -> None:
    await talk.ask()
    await talk.sink.play(100)
    talk.sink.lose("unplugged")
    await anyio.sleep_forever()


async def _cancelled(talk: Conversation) -> None:
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group():
            await talk.ask()
            scope.cancel()


WAYS = (_to_the_end, _interrupted, _left_in_the_middle, _hung_up, _unplugged, _cancelled)


def _alive() -> Counter[str]:
    """How many objects of ours there are, by type."""
    gc.collect()
    everything: list[object] = gc.get_objects()
    kinds = Counter(map(type, everything))
    return Counter({kind.__qualname__: count for kind, count in kinds.items() if _is_ours(str(kind.__module__))})


def _is_ours(module: object) -> bool:
    """The embedded server keeps its log, and the ears what they heard; that is no business of a session's."""
    if not isinstance(module, str):  # a type may have a descriptor of that name
        return False
    others = ("rtactors.loopback.", "rtactors.testing.")
    return module.startswith(("rtactors.", "statecharts.")) and not module.startswith(others)


async def _in_all_ways(begin: Begin) -> None:
    for way in WAYS:
        raises = {_hung_up: (SessionClosed,), _unplugged: (SinkLost,)}.get(way, ())
        async with begin(THREE, reconnect=None, raises=raises) as talk:
            await way(talk)


@pytest.mark.anyio
async def test_sessions_leave_no_task_and_no_object(begin: Begin) -> None:
    """However they end, in one loop; and each of them holds a hundred times more while it lives."""
    await _in_all_ways(begin)
    tasks, before = len(anyio.get_running_tasks()), _alive()
    for _ in range(5):
        await _in_all_ways(begin)
    assert len(anyio.get_running_tasks()) == tasks
    assert not _alive() - before
    async with begin(THREE) as talk:
        await talk.ask()
        await talk.sink.play(10)
        assert sum((_alive() - before).values()) > 30
        assert len(anyio.get_running_tasks()) > tasks


@pytest.mark.anyio
async def test_long_session_grows_by_its_record_only() -> None:
    """Of each turn there remain its items; of those who worked on it nothing, once their deadlines have passed."""
    async with conversation(THREE) as talk:
        talk.sink.play_all()

        async def turns(count: int) -> Counter[str]:
            for _ in range(count):
                reply = await talk.session.ask("Again.")
                await reply.done()
            await talk.session.quiet()
            await anyio.sleep(100)
            return _alive()

        first, later = await turns(3), await turns(20)
        grown = later - first
        assert grown.pop("Inbox", 0) <= 3  # those of the last response are given up when the next one begins
        assert grown == {"Entry": 80, "Life": 80}  # each turn has four items: what the user said, and three messages


# ------------------------------------------------------------------------------------------------- leaving, any time


@backends
@pytest.mark.parametrize("passes", range(0, 60, 3))
def test_cancelled_at_any_turn_of_the_loop(backend: BackendName, passes: int) -> None:
    """The block is left by cancellation: the record is settled, the server is told, and the invariants hold."""

    async def cancelled() -> None:
        script = replies(Say(text=FIRST, gate=Gate(), gate_ms=900))
        async with conversation(script) as talk:
            with anyio.CancelScope() as scope:

                async def soon() -> None:
                    for _ in range(passes):
                        await anyio.lowlevel.checkpoint()
                    scope.cancel()

                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(soon)
                    await talk.ask()
                    await talk.sink.play(300)
                    if passes % 2:
                        await talk.session.interrupt()
                    await anyio.sleep_forever()

    run_virtual(cancelled, backend=backend)
