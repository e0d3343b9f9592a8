"""The paced sink: every report at its frame, and the same positions as a sink that is too simple to be wrong."""

import math
from collections.abc import Callable

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtactors.sinks import PacedSink
from rtactors.sinks.base import Finished, Paused, Progress, Report, Resumed, Started, Starved
from rtactors.testing.clock import BackendName, loop_passes, run_virtual, settled
from rtactors.testing.sinks import probing

MS = 2 * 24  # bytes of 1 ms at 24 kHz


def at(time: float) -> float:
    return pytest.approx(time, abs=1e-9)  # pyright: ignore[reportReturnType] compares as one


@pytest.mark.anyio
class TestTimes:
    async def test_each_report_comes_at_its_frame(self) -> None:
        heard: list[tuple[float, Report]] = []
        sink = PacedSink()

        def hear(report: Report) -> None:
            heard.append((anyio.current_time(), report))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sink.run, hear)
            await anyio.sleep(1)
            sink.begin("m")
            sink.write("m", bytes(250 * MS))
            await anyio.sleep(2)
            sink.write("m", bytes(100 * MS))
            sink.finish("m")
            await anyio.sleep(2)
            tasks.cancel_scope.cancel()

        assert heard == [
            (at(1 + 1 / 24_000), Started("m", at(1))),
            (at(1.1), Progress("m", 2_400, at(1.1))),
            (at(1.2), Progress("m", 4_800, at(1.2))),
            (at(1.25), Starved("m", 6_000, at(1.25))),
            (at(3.05), Progress("m", 7_200, at(3.05))),
            (at(3.1), Finished("m", 8_400, at(3.1))),
        ]

    @pytest.mark.parametrize("moment", [0.1, 0.1 + 1 / 24_000, 1 / 3, math.pi / 4, 0.9])
    async def test_clear_tells_the_frame_of_the_moment(self, moment: float) -> None:
        async with probing(PacedSink()) as probe:
            await anyio.sleep(7.7)
            probe.begin("m")
            probe.write("m", bytes(1_000 * MS))
            await anyio.sleep(moment)
            probe.clear("m")
            finished = await probe.until(Finished, "m")
        assert finished.frames == math.floor(moment * 24_000 + 1e-3)
        assert finished.at == pytest.approx(7.7 + moment, abs=1 / 24_000)

    async def test_pause_stops_at_its_frame_and_resume_starts_there(self) -> None:
        async with probing(PacedSink(progress_ms=None)) as probe:
            probe.begin("m")
            probe.write("m", bytes(100 * MS))
            probe.finish("m")
            await anyio.sleep(0.03)
            probe.pause("m")
            await anyio.sleep(5)
            probe.resume("m")
            await anyio.sleep(0.02)
            probe.pause("m")
            await anyio.sleep(5)
            probe.resume("m")
            await probe.until(Finished, "m")
        assert probe.reports == [
            Started("m", 0),
            Paused("m", 720, 0.03),
            Resumed("m"),
            Paused("m", 1_200, at(5.05)),
            Resumed("m"),
            Finished("m", 2_400, at(10.1)),
        ]

    async def test_messages_follow_one_another_without_a_gap(self) -> None:
        sink = PacedSink()
        reports: list[Report] = []

        def begin_the_next(report: Report) -> None:
            reports.append(report)
            if isinstance(report, Finished) and report.message_id != "4":
                play(str(int(report.message_id) + 1))

        def play(message_id: str) -> None:
            sink.begin(message_id)
            sink.write(message_id, bytes(50 * MS))
            sink.finish(message_id)

        play("0")
        with anyio.move_on_after(1):
            await sink.run(begin_the_next)
        assert [report.at for report in reports if isinstance(report, Started)] == [at(0.05 * n) for n in range(5)]

    async def test_a_device_hears_later_than_it_is_given(self) -> None:
        async with probing(PacedSink(latency_ms=180)) as probe:
            probe.begin("m")
            probe.write("m", bytes(50 * MS))
            starved = await probe.until(Starved, "m")
            assert anyio.current_time() == at(0.23)
            await anyio.sleep(1)
            probe.write("m", bytes(50 * MS))
            await anyio.sleep(0.1)
            probe.pause("m")  # it has the second piece, and has not begun to play it
            paused = await probe.until(Paused, "m")
            probe.resume("m")
            await anyio.sleep(0.2)
            probe.clear("m")
            finished = await probe.until(Finished, "m")
        assert probe.of(Started, "m") == [Started("m", at(0.18))]
        assert (starved.frames, paused.frames, finished.frames) == (1_200, 1_200, 1_680)

    async def test_cancelled_it_stands_still_and_goes_on_when_it_runs_again(self) -> None:
        sink = PacedSink(progress_ms=None)
        reports: list[Report] = []
        sink.begin("m")
        sink.write("m", bytes(100 * MS))
        sink.finish("m")
        for _ in range(2):
            with anyio.move_on_after(0.06):
                await sink.run(reports.append)
            await anyio.sleep(10)
        assert reports == [Started("m", 0), Finished("m", 2_400, at(10.1))]


def test_it_wakes_only_when_something_happens() -> None:
    async def passes(seconds: int, progress_ms: int | None) -> int:
        sink = PacedSink(progress_ms=progress_ms)
        finished = anyio.Event()

        def report(report: Report) -> None:
            if isinstance(report, Finished):
                finished.set()

        sink.begin("m")
        sink.write("m", bytes(seconds * 1_000 * MS))
        sink.finish("m")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sink.run, report)
            await finished.wait()
            tasks.cancel_scope.cancel()
        return loop_passes()

    alone = run_virtual(passes, 1, None)
    assert run_virtual(passes, 9, None) == alone < 20
    assert run_virtual(passes, 9, 100) < alone + 90 * 5


# -------------------------------------------------------------------------- against a sink that is easy to believe in


class Believable:
    """A sink at 1 kHz, moved on millisecond by millisecond, frame by frame: slow, and plainly right."""

    def __init__(self) -> None:
        self.now = 0
        self.queue = bytearray()
        self.heard = bytearray()
        self.state = "closed"
        self.paused = False
        self.ended: list[tuple[int, int]] = []
        self.tape = bytearray()

    def sleep(self, ms: int) -> None:
        for _ in range(ms):
            if self.state != "closed" and not self.paused and self.queue:
                frame = self.queue[:2]
                del self.queue[:2]
                self.heard += frame
                self.tape += frame
            else:
                self.tape += b"\0\0"
            self.now += 1
            self.settle()

    def settle(self) -> None:
        if self.state == "finishing" and not self.queue:
            self.end()

    def end(self) -> None:
        self.ended.append((len(self.heard) // 2, self.now))
        self.state = "closed"
        self.queue.clear()

    def begin(self) -> None:
        self.state, self.paused = "open", False
        self.heard.clear()

    def write(self, pcm: bytes) -> None:
        if self.state == "open":
            self.queue += pcm

    def finish(self) -> None:
        if self.state == "open":
            self.state = "finishing"
            self.settle()

    def clear(self) -> None:
        if self.state != "closed":
            self.end()

    def pause(self) -> None:
        self.paused = self.state != "closed"

    def resume(self) -> None:
        self.paused = False


Step = tuple[str, int]
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["sleep", "write"]), st.integers(1, 30)),
        st.tuples(st.sampled_from(["finish", "clear", "pause", "resume", "next"]), st.just(0)),
    ),
    max_size=40,
)


@pytest.mark.parametrize("progress_ms", [None, 7])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@settings(max_examples=100)
@given(steps=steps)
def test_it_agrees_with_the_believable_sink(backend: BackendName, progress_ms: int | None, steps: list[Step]) -> None:
    believable = Believable()
    tape = bytearray()

    def record(pcm: bytes, since: float) -> None:
        position = 2 * round(since * 1_000)
        tape.extend(bytes(position - len(tape)))
        tape.extend(pcm)

    async def play() -> list[Report]:
        message, noise = 0, 0
        sink = PacedSink(1_000, progress_ms=progress_ms, listener=record)
        async with probing(sink) as probe:
            probe.begin("0")
            believable.begin()
            await settled()
            for step, amount in steps:
                if step == "sleep":
                    await anyio.sleep_until((believable.now + amount) / 1_000)
                    believable.sleep(amount)
                elif step == "write":
                    pcm = bytes((noise + n) % 255 + 1 for n in range(2 * amount))
                    noise += 2 * amount
                    probe.write(str(message), pcm)
                    believable.write(pcm)
                elif step != "next":
                    call: Callable[[str], None] = getattr(probe, step)
                    call(str(message))
                    getattr(believable, step)()
                elif believable.state == "closed":
                    message += 1
                    probe.begin(str(message))
                    believable.begin()
            probe.clear(str(message))
            believable.clear()
            await settled()
            return probe.reports

    reports = run_virtual(play, backend=backend)
    ended = [(report.frames, round(report.at * 1_000, 6)) for report in reports if isinstance(report, Finished)]
    assert ended == believable.ended
    assert tape == believable.tape[: len(tape)]
    assert not any(believable.tape[len(tape) :])
