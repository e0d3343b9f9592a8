"""The simulated device keeps the contract of sinks, with its habits and without."""

import anyio
import pytest

from rtactors.sinks.base import Finished, Lost, Report, Started
from rtactors.testing.simulation.device import SimulatedDevice
from rtactors.testing.simulation.plan import Device, Stall
from rtactors.testing.sinks import SINK_CHECKS, SinkCheck, probing

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("check", SINK_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("plan", [Device(), Device(latency_ms=20)], ids=["plain", "late"])
async def test_contract(check: SinkCheck, plan: Device) -> None:
    await check(lambda: SimulatedDevice(plan))


async def test_it_plays_on_what_it_has_taken() -> None:
    async with probing(SimulatedDevice(Device(tail_ms=150))) as probe:
        probe.begin("m")
        probe.write_ms("m", 1000)
        await anyio.sleep(0.3)
        probe.clear("m")
        finished = await probe.until(Finished, "m")
    assert (finished.frames, finished.at) == (450 * 24, pytest.approx(0.45))


async def test_it_stands_still() -> None:
    """Before a message, which then starts late, and in one."""
    async with probing(SimulatedDevice(Device(stalls=(Stall(at_ms=0, ms=200), Stall(at_ms=500, ms=400))))) as probe:
        probe.begin("m")
        probe.write_ms("m", 600)
        probe.finish("m")
        started = await probe.until(Started, "m")
        finished = await probe.until(Finished, "m")
    assert started.at == pytest.approx(0.2)
    assert finished.at == pytest.approx(1.2)


async def test_it_is_unplugged() -> None:
    device, told = SimulatedDevice(Device()), list[Report]()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(device.run, told.append)
        device.begin("m")
        device.write("m", bytes(48_000))
        await anyio.sleep(0.25)
        device.lose()
        await anyio.sleep(2)
        tasks.cancel_scope.cancel()
    assert isinstance(told[-1], Lost)
    assert [getattr(report, "frames", 0) for report in told[-2:-1]] == [4800]
