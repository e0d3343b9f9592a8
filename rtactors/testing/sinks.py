"""Does a sink keep its contract (`rtactors.sinks.base`)? Checks for any sink, in virtual or in real time.

    @pytest.mark.anyio
    @pytest.mark.parametrize("check", SINK_CHECKS)
    async def test_my_sink(check: SinkCheck) -> None:
        await check(MySink)

or `await check_sink(MySink)` for all of them. Each check plays for a fraction of a second on a new sink and raises
AssertionError with a sentence. Positions must be exact; `tolerance_frames` is for a device that can't be.

The checks drive their sink through a `SinkProbe`, which examines every report. It serves in other tests, too:

    async with probing(sink) as probe:
        probe.begin("m")
        probe.write_ms("m", 200)
        await probe.until(Started, "m")
        probe.clear("m")
        finished = await probe.until(Finished, "m")
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import wraps
from typing import Protocol, TypeVar

import anyio

from rtactors.events import BYTES_PER_FRAME
from rtactors.sinks.base import Finished, Lost, Paused, Progress, Report, Resumed, Sink, Started, Starved

PATIENCE_S = 10
"""After so long without the report that it waits for, a check gives up."""

R = TypeVar("R", Started, Progress, Starved, Paused, Resumed, Finished)


class _Life:
    """What the probe knows of one message."""

    def __init__(self, began: float) -> None:
        self.began = began
        self.started: float | None = None
        self.written = 0
        self.ends: set[int] = set()
        """Where it may run dry: at the end of any of the writes, for more may come just before it is reported."""
        self.heard = 0
        self.finishing = False
        self.cleared = False
        self.paused = False
        self.over = False


class SinkProbe:
    """The calls of a sink, with an eye on what it reports: see `probing`."""

    def __init__(self, sink: Sink, *, tolerance_frames: int = 0) -> None:
        self.sink = sink
        self.reports: list[Report] = []
        self.tolerance = tolerance_frames
        self._lives: dict[str, _Life] = {}
        self._news = anyio.Event()
        self._fault: AssertionError | None = None

    def begin(self, message_id: str) -> None:
        self.sink.begin(message_id)
        self._lives[message_id] = _Life(anyio.current_time())

    def write(self, message_id: str, pcm: bytes) -> None:
        life = self._lives[message_id]
        if not (life.finishing or life.cleared):
            life.written += len(pcm) // BYTES_PER_FRAME
            life.ends.add(life.written)
        self.sink.write(message_id, pcm)

    def write_ms(self, message_id: str, ms: float) -> int:
        """Write so much sound that is nowhere silent; how many frames that is."""
        frames = round(ms * self.sink.rate / 1000)
        self.write(message_id, b"\x10\x27" * frames)
        return frames

    def finish(self, message_id: str) -> None:
        self._lives[message_id].finishing = True
        self.sink.finish(message_id)

    def clear(self, message_id: str) -> None:
        self._lives[message_id].cleared = True
        self.sink.clear(message_id)

    def pause(self, message_id: str) -> None:
        self.sink.pause(message_id)

    def resume(self, message_id: str) -> None:
        self.sink.resume(message_id)

    def of(self, kind: type[R], message_id: str) -> list[R]:
        """The reports of one kind on one message so far."""
        return [report for report in self.reports if isinstance(report, kind) and report.message_id == message_id]

    async def until(self, kind: type[R], message_id: str) -> R:
        """Wait for the first report of this kind on this message."""
        with anyio.move_on_after(PATIENCE_S):
            while not (found := self.of(kind, message_id)):
                self.verify()
                await self._news.wait()
            self.verify()
            return found[0]
        raise AssertionError(
            f"no {kind.__name__} of {message_id!r} within {PATIENCE_S} s; reports were {self.reports or 'none'}"
        )

    def verify(self) -> None:
        """Raise what was wrong with the reports so far."""
        if self._fault:
            raise self._fault

    def hear(self, report: Report) -> None:
        """The callback for the sink's `run`."""
        self.reports.append(report)
        try:
            self._examine(report)
        except AssertionError as fault:
            self._fault = self._fault or fault
        self._news.set()
        self._news = anyio.Event()

    def _examine(self, report: Report) -> None:
        assert not isinstance(report, Lost), f"the device was lost: {report.reason}"
        life = self._lives.get(report.message_id)
        assert life, f"{report} is about a message that was never begun"
        assert not life.over, f"{report} came after the message had been reported as Finished"
        now = anyio.current_time() + (self.tolerance + 1) / self.sink.rate
        match report:
            case Started():
                assert life.started is None, f"{report} came twice"
                assert life.began <= report.at <= now, f"{report} is not between begin ({life.began}) and now ({now})"
                life.started = report.at
            case Resumed():
                assert life.paused, f"{report} came without a Paused before"
                life.paused = False
            case _:
                self._examine_position(report, life)
        match report:
            case Paused():
                assert not life.paused, f"{report} came twice"
                life.paused = True
            case Starved():
                assert report.frames in life.ends, f"{report}, but what was written ended at {sorted(life.ends)}"
            case Finished():
                assert life.finishing or life.cleared, f"{report} came before finish or clear"
                assert life.cleared or report.frames == life.written, f"{report} lacks some of {life.written} frames"
                assert (life.started or life.began) <= report.at <= now, f"{report} is not between the start and now"
                life.over = True
            case _:
                pass

    def _examine_position(self, report: Progress | Starved | Paused | Finished, life: _Life) -> None:
        assert report.frames >= life.heard, f"{report} goes back from {life.heard} frames"
        assert report.frames <= life.written, f"{report} counts more than the {life.written} frames written"
        assert (life.started is not None) == (report.frames > 0), (
            f"{report} fits badly with {'Started' if life.started is not None else 'no Started'} before it"
        )
        life.heard = report.frames


@asynccontextmanager
async def probing(sink: Sink, *, tolerance_frames: int = 0) -> AsyncGenerator[SinkProbe]:
    """Run a sink, and examine each of its reports; AssertionError at the end, or in `until`, if one was wrong."""
    probe = SinkProbe(sink, tolerance_frames=tolerance_frames)
    error: Exception | None = None
    cancelled = float("inf")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sink.run, probe.hear)
        try:
            yield probe
        except Exception as caught:  # noqa: BLE001 - raised below: out here the task group would wrap it
            error = caught
        cancelled = anyio.current_time()
        tasks.cancel_scope.cancel()
    if error:
        raise error
    probe.verify()
    assert anyio.current_time() - cancelled < 1, "run must end when it is cancelled, whatever is left to play"


# ----------------------------------------------------------------------------------------------------------- checks


class SinkCheck(Protocol):
    """One check of a sink."""

    __name__: str

    async def __call__(self, make_sink: Callable[[], Sink], *, tolerance_frames: int = 0) -> None: ...


SINK_CHECKS: list[SinkCheck] = []
"""All checks, for `pytest.mark.parametrize`."""


async def check_sink(make_sink: Callable[[], Sink], *, tolerance_frames: int = 0) -> None:
    """Run every check, each on a sink of its own."""
    for check in SINK_CHECKS:
        await check(make_sink, tolerance_frames=tolerance_frames)


def _check(body: Callable[[SinkProbe], Awaitable[None]]) -> Callable[[SinkProbe], Awaitable[None]]:
    @wraps(body)
    async def check(make_sink: Callable[[], Sink], *, tolerance_frames: int = 0) -> None:
        try:
            async with probing(make_sink(), tolerance_frames=tolerance_frames) as probe:
                await body(probe)
        except Exception as error:
            error.add_note(f"in the check {body.__name__} of rtactors.testing.sinks")
            raise

    SINK_CHECKS.append(check)
    return body


async def _play_a_message(probe: SinkProbe, message_id: str) -> None:
    """Whatever was before, the sink must play this one from its first frame to its last."""
    probe.begin(message_id)
    frames = probe.write_ms(message_id, 60)
    probe.finish(message_id)
    finished = await probe.until(Finished, message_id)
    assert finished.frames == frames, f"{finished}: {frames} frames were written"
    assert finished.confirmed, f"{finished} must be confirmed"
    assert len(probe.of(Started, message_id)) == 1


async def _stay_silent(probe: SinkProbe, ms: float = 200) -> None:
    """Give the sink time to report; there must be nothing to."""
    before = list(probe.reports)
    await anyio.sleep(ms / 1000)
    assert probe.reports == before, f"unexpected: {probe.reports[len(before) :]}"


@_check
async def is_a_sink(probe: SinkProbe) -> None:
    assert isinstance(probe.sink, Sink), f"{probe.sink} lacks a method of the Sink protocol"
    assert probe.sink.rate > 0, "the rate is in Hz"


@_check
async def a_message_is_played_to_its_end(probe: SinkProbe) -> None:
    probe.begin("m")
    frames = sum(probe.write_ms("m", ms) for ms in (100, 20, 130))
    probe.finish("m")
    finished = await probe.until(Finished, "m")
    assert finished.frames == frames, f"{finished}: {frames} frames were written"
    assert finished.confirmed, f"{finished} must be confirmed"
    await _stay_silent(probe)


@_check
async def positions_are_counted_per_message(probe: SinkProbe) -> None:
    for message_id in ("m1", "m2", "m3"):
        await _play_a_message(probe, message_id)


@_check
async def messages_shorter_than_a_block_are_played(probe: SinkProbe) -> None:
    for frames in (1, 2, 7, 100):
        probe.begin(f"m{frames}")
        probe.write(f"m{frames}", b"\x10\x27" * frames)
        probe.finish(f"m{frames}")
        assert (await probe.until(Finished, f"m{frames}")).frames == frames


@_check
async def single_frames_can_be_written(probe: SinkProbe) -> None:
    probe.begin("m")
    for _ in range(500):
        probe.write("m", b"\x10\x27")
    probe.write("m", b"")
    probe.finish("m")
    assert (await probe.until(Finished, "m")).frames == 500  # noqa: PLR2004 - as written


@_check
async def a_message_without_frames_finishes(probe: SinkProbe) -> None:
    probe.begin("m")
    probe.finish("m")
    assert (await probe.until(Finished, "m")).frames == 0
    await _play_a_message(probe, "m2")


@_check
async def clear_before_anything_was_written(probe: SinkProbe) -> None:
    probe.begin("m")
    probe.clear("m")
    assert (await probe.until(Finished, "m")).frames == 0
    await _play_a_message(probe, "m2")


@_check
async def clear_at_once(probe: SinkProbe) -> None:
    probe.begin("m")
    probe.write_ms("m", 400)
    probe.clear("m")
    await probe.until(Finished, "m")
    await _play_a_message(probe, "m2")


@_check
async def clear_in_the_middle(probe: SinkProbe) -> None:
    probe.begin("m")
    probe.write_ms("m", 400)
    started = await probe.until(Started, "m")
    await anyio.sleep(0.1)
    probe.clear("m")
    called = anyio.current_time()
    finished = await probe.until(Finished, "m")
    assert finished.frames > 0, f"{finished}, though the message had been playing for 100 ms"
    assert finished.at >= started.at
    assert anyio.current_time() - called < 1, "clear is to stop the device now"
    await _stay_silent(probe)
    await _play_a_message(probe, "m2")


@_check
async def clear_after_finish(probe: SinkProbe) -> None:
    probe.begin("m")
    probe.write_ms("m", 400)
    probe.finish("m")
    await probe.until(Started, "m")
    probe.clear("m")
    await probe.until(Finished, "m")
    await _stay_silent(probe)
    await _play_a_message(probe, "m2")


@_check
async def clear_after_the_end_is_ignored(probe: SinkProbe) -> None:
    await _play_a_message(probe, "m")
    probe.clear("m")
    await _stay_silent(probe)
    await _play_a_message(probe, "m2")


@_check
async def clear_twice_finishes_once(probe: SinkProbe) -> None:
    probe.begin("m")
    probe.write_ms("m", 400)
    await probe.until(Started, "m")
    probe.clear("m")
    probe.clear("m")
    await probe.until(Finished, "m")
    probe.clear("m")
    await _stay_silent(probe)


@_check
async def writes_after_clear_are_ignored(probe: SinkProbe) -> None:
    probe.begin("m")
    probe.write_ms("m", 400)
    await probe.until(Started, "m")
    probe.clear("m")
    probe.write_ms("m", 400)
    await probe.until(Finished, "m")
    probe.write_ms("m", 400)
    probe.finish("m")
    await _stay_silent(probe)
    await _play_a_message(probe, "m2")


@_check
async def calls_for_another_message_are_ignored(probe: SinkProbe) -> None:
    await _play_a_message(probe, "old")
    probe.begin("m")
    frames = probe.write_ms("m", 200)
    for other in ("old", "never begun"):
        probe.sink.write(other, b"\x10\x27" * 100)
        probe.sink.pause(other)
        probe.sink.resume(other)
        probe.sink.clear(other)
        probe.sink.finish(other)
    probe.finish("m")
    assert (await probe.until(Finished, "m")).frames == frames


@_check
async def begin_while_another_is_open_raises(probe: SinkProbe) -> None:
    probe.begin("m")
    frames = probe.write_ms("m", 200)
    try:
        probe.sink.begin("m2")
    except RuntimeError:
        pass
    else:
        raise AssertionError("begin must raise RuntimeError while another message is open")
    probe.finish("m")
    assert (await probe.until(Finished, "m")).frames == frames
    await _play_a_message(probe, "m2")


@_check
async def pause_holds_the_position_and_resume_goes_on_there(probe: SinkProbe) -> None:
    probe.begin("m")
    frames = probe.write_ms("m", 400)
    await probe.until(Started, "m")
    await anyio.sleep(0.1)
    probe.pause("m")
    probe.pause("m")
    paused = await probe.until(Paused, "m")
    await _stay_silent(probe, 600)
    probe.resume("m")
    probe.resume("m")
    await probe.until(Resumed, "m")
    assert paused.frames == frames or not probe.of(Finished, "m")
    probe.finish("m")
    assert (await probe.until(Finished, "m")).frames == frames
    assert len(probe.of(Paused, "m")) == len(probe.of(Resumed, "m")) == 1


@_check
async def clear_while_paused_tells_where_it_paused(probe: SinkProbe) -> None:
    probe.begin("m")
    probe.write_ms("m", 400)
    await probe.until(Started, "m")
    await anyio.sleep(0.1)
    probe.pause("m")
    paused = await probe.until(Paused, "m")
    await anyio.sleep(0.3)
    probe.clear("m")
    finished = await probe.until(Finished, "m")
    assert finished.frames - paused.frames <= probe.tolerance, f"{finished}, but it was {paused}"
    await _play_a_message(probe, "m2")


@_check
async def paused_before_its_start_it_waits(probe: SinkProbe) -> None:
    probe.begin("m")
    probe.pause("m")
    frames = probe.write_ms("m", 100)
    assert (await probe.until(Paused, "m")).frames == 0
    await _stay_silent(probe)
    probe.resume("m")
    probe.finish("m")
    assert (await probe.until(Finished, "m")).frames == frames


@_check
async def after_running_dry_the_position_counts_from_the_messages_start(probe: SinkProbe) -> None:
    probe.begin("m")
    first = probe.write_ms("m", 100)
    assert (await probe.until(Starved, "m")).frames == first
    await _stay_silent(probe)
    second = probe.write_ms("m", 100)
    probe.finish("m")
    finished = await probe.until(Finished, "m")
    assert finished.frames == first + second, f"{finished}: {first} and {second} frames were written"


@_check
async def finish_after_running_dry(probe: SinkProbe) -> None:
    probe.begin("m")
    frames = probe.write_ms("m", 60)
    await probe.until(Starved, "m")
    probe.finish("m")
    assert (await probe.until(Finished, "m")).frames == frames


@_check
async def messages_have_times_of_their_own(probe: SinkProbe) -> None:
    for message_id in ("m1", "m2"):
        await _play_a_message(probe, message_id)
        await anyio.sleep(0.1)
    (first,), (second,) = probe.of(Finished, "m1"), probe.of(Started, "m2")
    assert second.at > first.at, f"{second} came before {first}"


@_check
async def cancelling_run_ends_it_in_mid_speech(probe: SinkProbe) -> None:
    probe.begin("m")
    probe.write_ms("m", 10_000)
    await probe.until(Started, "m")  # `probing` does the rest
