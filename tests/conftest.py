"""Every async test runs on asyncio and on trio: in virtual time, or in real time if it needs more than a computer can
be made to believe (sockets, a device, a disk).
"""

import gc
from typing import Any

import pytest
from hypothesis import settings

from rtactors.testing.clock import Backend, real_backends, virtual_backend

settings.register_profile("untimed", deadline=None)  # how long an example takes says how busy the machine is
settings.load_profile("untimed")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """What was collected stays to the end: no search for garbage needs to go through it, and there are thousands."""
    gc.collect()
    gc.freeze()


@pytest.fixture(params=real_backends(), ids=lambda backend: backend[0])
def anyio_backend(request: pytest.FixtureRequest) -> Backend:
    if any(request.node.get_closest_marker(real) for real in ("sockets", "device", "disk")):
        return request.param
    name, _ = request.param
    return virtual_backend(name, seed=0 if name == "trio" else None)  # without a seed trio's order differs in each run


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--schedules", type=int, default=300, help="how many seeded conversations to simulate")
    parser.addoption("--kills", type=int, default=10, help="how often to kill a process that holds a conversation")


@pytest.fixture
def schedules(request: pytest.FixtureRequest) -> range:
    """The seeds of simulated conversations."""
    count: Any = request.config.getoption("--schedules")
    return range(count)
