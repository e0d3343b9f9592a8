"""The sink in memory: what it keeps, and how it is moved by hand."""

import anyio
import pytest

from rtactors.sinks import MemorySink
from rtactors.sinks.base import Finished, Paused, Progress, Resumed, Started, Starved
from rtactors.testing.clock import settled
from rtactors.testing.sinks import probing

pytestmark = pytest.mark.anyio


async def test_what_was_heard_is_kept_per_message_and_in_order() -> None:
    sink = MemorySink()
    async with probing(sink) as probe:
        for message_id, pcm in (("m2", b"22"), ("m1", b"1111"), ("m3", b"")):
            probe.begin(message_id)
            probe.write(message_id, pcm[:2])
            probe.write(message_id, pcm[2:])
            probe.finish(message_id)
            await settled()
    assert list(sink.heard.items()) == [("m2", b"22"), ("m1", b"1111")]


async def test_held_it_moves_by_hand_and_exactly() -> None:
    sink = MemorySink(1_000, hold=True, progress_ms=10)
    async with probing(sink) as probe:
        assert sink.play(5) == 0
        probe.begin("m")
        assert sink.play(5) == 0
        probe.write("m", bytes(range(100)))
        assert sink.play(7) == 7
        assert sink.play_ms(5) == 5
        await settled()
        assert probe.reports == [Started("m", 0), Progress("m", 12, 0)]
        probe.pause("m")
        assert sink.play(5) == 0
        probe.resume("m")
        assert sink.play(1) == 1
        probe.clear("m")
        assert sink.play(1) == 0
        await settled()
    assert probe.reports[2:] == [Paused("m", 12, 0), Resumed("m"), Finished("m", 13, 0)]
    assert sink.heard == {"m": bytes(range(26))}


async def test_held_it_ends_where_the_writing_ends() -> None:
    sink = MemorySink(hold=True)
    async with probing(sink) as probe:
        probe.begin("m")
        probe.write("m", bytes(20))
        assert sink.play(1_000) == 10
        probe.finish("m")
        await settled()
    assert probe.reports == [Started("m", 0), Starved("m", 10, 0), Finished("m", 10, 0)]


async def test_what_is_written_before_it_runs_is_heard_when_it_does() -> None:
    sink = MemorySink()
    sink.begin("m")
    sink.write("m", b"1234")
    sink.finish("m")
    assert sink.heard == {}
    reports: list[object] = []
    with anyio.move_on_after(1):
        await sink.run(reports.append)
    assert reports == [Started("m", 0), Finished("m", 2, 0)]
    assert sink.heard == {"m": b"1234"}


async def test_it_runs_once_at_a_time() -> None:
    sink = MemorySink()
    async with probing(sink):
        await settled()
        with pytest.raises(RuntimeError, match="in use"):
            await sink.run(print)
