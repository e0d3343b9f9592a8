"""The speaker over drivers that no test machine has: a thread asks for blocks as they do."""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from rtactors import portaudio
from rtactors.sinks import Speaker
from rtactors.sinks.base import Finished, Paused, Started
from rtactors.testing.sinks import probing

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]  # threads need real time, as sockets do

BLOCK = 240
BASE = 1e9  # a driver's clock begins wherever it likes


class Driver:
    """Asks for a block every 10 ms, `blocks` times, and says of each that it will leave after `delay` seconds."""

    latency = 0.05

    def __init__(self, delay: float, blocks: int) -> None:
        self._delay = delay
        self._blocks = blocks
        self._closed = threading.Event()
        self.played: list[int] = []

    def start(self, _stream_type: str, callback: Callable[..., None], **_options: Any) -> "Driver":
        threading.Thread(target=self._drive, args=[callback]).start()
        return self

    def _drive(self, callback: Callable[..., None]) -> None:
        for _ in range(self._blocks):
            out = bytearray(2 * BLOCK)
            times = SimpleNamespace(currentTime=BASE, outputBufferDacTime=BASE + self._delay)
            callback(out, BLOCK, times, None)
            self.played.extend(sample for sample in memoryview(out).cast("h") if sample)
            if self._closed.wait(0.01):
                return

    def close(self) -> None:
        self._closed.set()


def use(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portaudio, "load", lambda: None)
    monkeypatch.setattr(portaudio, "start", driver.start)


@pytest.mark.parametrize(("delay", "confirmed"), [(0.03, True), (0, False), (-0.1, False), (3_000, False)])
async def test_only_a_sensible_delay_confirms(
    delay: float, *, confirmed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = Driver(delay, blocks=1_000)
    use(driver, monkeypatch)
    async with probing(Speaker(), tolerance_frames=BLOCK) as probe:
        probe.begin("m")
        frames = probe.write_ms("m", 100)
        probe.pause("m")
        await probe.until(Paused, "m")
        probe.resume("m")
        await probe.until(Started, "m")
        probe.clear("m")
        finished = await probe.until(Finished, "m")
    assert 0 < finished.frames < frames
    assert finished.frames == len(driver.played)
    assert finished.confirmed is confirmed


async def test_it_does_not_vouch_for_what_a_stalled_device_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    use(Driver(delay=0.5, blocks=10), monkeypatch)
    async with probing(Speaker(), tolerance_frames=BLOCK) as probe:
        probe.begin("m")
        probe.write_ms("m", 1_000)
        await probe.until(Started, "m")
        probe.clear("m")
        finished = await probe.until(Finished, "m")
    assert 0 < finished.frames <= 10 * BLOCK
    assert not finished.confirmed
