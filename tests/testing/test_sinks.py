"""The sinks of this package keep the contract, and the checks find out those that don't."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import anyio
import pytest

from rtactors.sinks import MemorySink, PacedSink, WavSink
from rtactors.sinks.base import Finished, Lost, Progress, Report, Resumed, Sink, Started
from rtactors.sinks.segment import Segment
from rtactors.testing.clock import settled
from rtactors.testing.faulty_sink import FaultySink
from rtactors.testing.sinks import SINK_CHECKS, SinkCheck, check_sink, probing

pytestmark = pytest.mark.anyio

SINKS: dict[str, Callable[[], Sink]] = {
    "memory": MemorySink,
    "memory with progress": partial(MemorySink, 8_000, progress_ms=10),
    "paced": PacedSink,
    "paced without progress": partial(PacedSink, progress_ms=None),
    "paced with progress at each frame": partial(PacedSink, 8_000, progress_ms=0),
    "paced with latency": partial(PacedSink, 44_100, latency_ms=180, progress_ms=30),
    "behind a fault that does not happen": lambda: FaultySink(PacedSink()),
}


@pytest.mark.parametrize("check", SINK_CHECKS)
@pytest.mark.parametrize("make_sink", SINKS.values(), ids=SINKS.keys())
async def test_our_sinks_keep_the_contract(make_sink: Callable[[], Sink], check: SinkCheck) -> None:
    await check(make_sink)


async def test_wav_sink_keeps_the_contract(tmp_path: Path) -> None:
    await check_sink(partial(WavSink, tmp_path / "heard.wav"))


class Doctored(PacedSink):
    """A sink whose reports are tampered with."""

    def _post(self, report: Report) -> None:
        for doctored in self.doctor(report):
            super()._post(doctored)

    def doctor(self, report: Report) -> list[Report]:
        return [report]


class CountsAcrossMessages(Doctored):
    total = 0

    def doctor(self, report: Report) -> list[Report]:
        if isinstance(report, Finished):
            self.total += report.frames
            return [Finished(report.message_id, self.total, report.at)]
        return [report]


class FinishesTwice(Doctored):
    def doctor(self, report: Report) -> list[Report]:
        return [report, report] if isinstance(report, Finished) else [report]


class NeverFinishes(Doctored):
    def doctor(self, report: Report) -> list[Report]:
        return [] if isinstance(report, Finished) else [report]


class NeverStarts(Doctored):
    def doctor(self, report: Report) -> list[Report]:
        return [] if isinstance(report, Started) else [report]


class StartsInThePast(Doctored):
    def doctor(self, report: Report) -> list[Report]:
        return [Started(report.message_id, report.at - 1)] if isinstance(report, Started) else [report]


class ForgetsToConfirm(Doctored):
    def doctor(self, report: Report) -> list[Report]:
        return (
            [Finished(report.message_id, report.frames, report.at, confirmed=False)]
            if isinstance(report, Finished)
            else [report]
        )


class NamesTheNextMessage(Doctored):
    def doctor(self, report: Report) -> list[Report]:
        return [Progress("next", report.frames)] if isinstance(report, Progress) else [report]


class GoesBack(Doctored):
    def doctor(self, report: Report) -> list[Report]:
        return [report, Progress(report.message_id, 1)] if isinstance(report, Progress) else [report]


class LosesItsDevice(Doctored):
    def doctor(self, report: Report) -> list[Report]:
        return [Lost("cable"), report] if isinstance(report, Finished) else [report]


class TakesClearForFinish(PacedSink):
    def clear(self, message_id: str) -> None:
        self.finish(message_id)


class DoesNotPause(PacedSink):
    def _halt(self, segment: Segment) -> int:
        return segment.heard


class HearsEverythingThatWasWritten(PacedSink):
    def clear(self, message_id: str) -> None:
        segment = self._open(message_id)
        super().clear(message_id)
        if segment and self._reports and isinstance(self._reports[-1], Finished):
            self._reports[-1] = Finished(message_id, segment.written * 2, self._reports[-1].at)


class ForgetsWhatItPlayedBeforeRunningDry(PacedSink):
    def write(self, message_id: str, pcm: bytes) -> None:
        self._look()
        segment = self._open(message_id)
        if segment and segment.heard == segment.written:
            segment.heard = segment.written = 0
        super().write(message_id, pcm)


class ResumesUnasked(Doctored):
    def doctor(self, report: Report) -> list[Report]:
        return [Resumed(report.message_id), report] if isinstance(report, Finished) else [report]


class ToleratesASecondMessage(PacedSink):
    def begin(self, message_id: str) -> None:
        self._segment = None
        super().begin(message_id)


class IgnoresCancellation(PacedSink):
    async def run(self, report: Callable[[Report], None]) -> None:
        try:
            await super().run(report)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(5)


BROKEN = [
    CountsAcrossMessages,
    FinishesTwice,
    NeverFinishes,
    NeverStarts,
    StartsInThePast,
    ForgetsToConfirm,
    NamesTheNextMessage,
    GoesBack,
    LosesItsDevice,
    TakesClearForFinish,
    DoesNotPause,
    HearsEverythingThatWasWritten,
    ForgetsWhatItPlayedBeforeRunningDry,
    ResumesUnasked,
    ToleratesASecondMessage,
    IgnoresCancellation,
]


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_broken_sink_is_found_out(broken: type[PacedSink]) -> None:
    with pytest.raises(AssertionError) as caught:
        await check_sink(broken)
    assert str(caught.value)


async def test_a_sink_that_never_confirms_a_clear() -> None:
    async with probing(FaultySink(PacedSink(), confirms=False)) as probe:
        probe.begin("m")
        probe.write_ms("m", 500)
        await probe.until(Started, "m")
        probe.clear("m")
        await anyio.sleep(5)
        assert not probe.of(Finished, "m")
        probe.begin("m2")
        frames = probe.write_ms("m2", 50)
        probe.finish("m2")
        assert (await probe.until(Finished, "m2")).frames == frames


async def test_a_sink_that_loses_its_device() -> None:
    sink = FaultySink(PacedSink())
    reports: list[Report] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sink.run, reports.append)
        await settled()
        sink.begin("m")
        sink.write("m", bytes(48_000))
        await anyio.sleep(0.25)
        sink.lose("unplugged")
        sink.clear("m")
        await anyio.sleep(1)
        tasks.cancel_scope.cancel()
    assert reports[-1] == Lost("unplugged")
    assert [type(report) for report in reports] == [Started, Progress, Progress, Lost]
