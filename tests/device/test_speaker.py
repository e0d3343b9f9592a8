"""The speaker on a real device: it keeps the contract, and what it says was heard is what was recorded."""

import anyio
import pytest

from rtactors.errors import ConfigurationError
from rtactors.sinks import Speaker
from rtactors.sinks.base import Finished, Lost, Paused, Report, Resumed, Started, Starved
from rtactors.testing.sinks import SinkProbe, check_sink, probing

from .conftest import SoundCard

pytestmark = [  # see conftest.py
    pytest.mark.anyio,
    pytest.mark.device,
    pytest.mark.flaky(reruns=3),
    pytest.mark.xdist_group("device"),
]

BLOCK = 240


def watermark(first: int, frames: int) -> bytes:
    """Sound whose samples tell their position."""
    return b"".join((first + n).to_bytes(2, "little") for n in range(frames))


async def warm_up(probe: SinkProbe) -> None:
    """The first stream after a null sink was made may stall for most of a second."""
    for n in range(20):
        probe.begin(f"silence {n}")
        probe.write(f"silence {n}", bytes(2 * 4_800))
        probe.finish(f"silence {n}")
        finished = await probe.until(Finished, f"silence {n}")
        if finished.confirmed:
            return


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # takes six seconds; the other tests run on both
async def test_it_keeps_the_contract(sound_card: SoundCard) -> None:
    del sound_card
    await check_sink(Speaker, tolerance_frames=BLOCK)


async def test_what_it_reports_is_what_was_recorded(sound_card: SoundCard) -> None:
    async with probing(Speaker(), tolerance_frames=BLOCK) as probe:
        await warm_up(probe)
        probe.begin("full")
        probe.write("full", watermark(1, 5_000))
        probe.finish("full")
        full = await probe.until(Finished, "full")

        probe.begin("cut")
        probe.write("cut", watermark(10_001, 10_000))
        await probe.until(Started, "cut")
        await anyio.sleep(0.1)
        probe.pause("cut")
        paused = await probe.until(Paused, "cut")
        await anyio.sleep(0.1)
        probe.resume("cut")
        await probe.until(Resumed, "cut")
        await anyio.sleep(0.1)
        probe.clear("cut")
        cut = await probe.until(Finished, "cut")

        probe.begin("dry")
        probe.write("dry", watermark(20_001, 1_000))
        await probe.until(Starved, "dry")
        probe.write("dry", watermark(21_001, 1_000))
        probe.finish("dry")
        dry = await probe.until(Finished, "dry")

    played = sound_card.played()
    assert (full.frames, dry.frames) == (5_000, 2_000)
    assert 0 < paused.frames < cut.frames < 10_000
    heard = [sample for sample in played if 10_000 < sample <= 20_000]
    assert heard == list(range(10_001, 10_001 + len(heard)))
    assert abs(len(heard) - cut.frames) <= BLOCK
    assert [sample for sample in played if sample <= 10_000] == list(range(1, 5_001))
    assert [sample for sample in played if sample > 20_000] == list(range(20_001, 22_001))


@pytest.mark.parametrize(("how", "anyio_backend"), [("unplug", "asyncio"), ("unplug", "trio"), ("freeze", "trio")])
async def test_a_device_that_goes_away_is_reported_as_lost(how: str, loose_card: SoundCard) -> None:
    reports: list[Report] = []
    lost = anyio.Event()

    def hear(report: Report) -> None:
        reports.append(report)
        if isinstance(report, Lost):
            lost.set()

    sink = Speaker()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sink.run, hear)
        sink.begin("m")
        sink.write("m", bytes(2 * 24_000 * 20))
        await anyio.sleep(0.3)
        loose_card.freeze() if how == "freeze" else loose_card.unplug()
        with anyio.fail_after(10):
            await lost.wait()
        for message_id in ("m", "m2", "m3"):
            sink.clear(message_id)
            sink.begin(message_id)
            sink.write(message_id, bytes(480))
            sink.finish(message_id)
        await anyio.sleep(0.1)
        tasks.cancel_scope.cancel()
    assert isinstance(reports[-1], Lost)
    assert not any(isinstance(report, Finished) for report in reports)


async def test_a_device_that_does_not_exist(sound_card: SoundCard) -> None:
    del sound_card
    with pytest.raises(ConfigurationError, match=r"can't use device 'no such card' at 24000 Hz .*: choose another"):
        await Speaker(device="no such card").run(print)
