"""What a slow, a fast and a late reader see of a session."""

import anyio
import pytest

from rtactors.event_stream import EventStream
from rtactors.session_events import Dropped, Unhandled

pytestmark = pytest.mark.anyio


async def test_in_order_then_it_ends() -> None:
    stream = EventStream(8)
    for name in "abc":
        stream.push(Unhandled(name))
    stream.close()
    assert [event async for event in stream] == [Unhandled("a"), Unhandled("b"), Unhandled("c")]


async def test_a_slow_reader_is_told_what_it_missed() -> None:
    stream = EventStream(2)
    for name in "abcde":
        stream.push(Unhandled(name))
    stream.close()
    assert [event async for event in stream] == [Dropped(3), Unhandled("d"), Unhandled("e")]


async def test_a_waiting_reader_wakes_up_for_news_and_for_the_end() -> None:
    stream = EventStream(8)
    seen: list[object] = []

    async def read() -> None:
        seen.extend([event async for event in stream])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        stream.push(Unhandled("a"))
        await anyio.wait_all_tasks_blocked()
        stream.close()
    assert seen == [Unhandled("a")]
