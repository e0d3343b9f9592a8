"""Virtual time: on both backends, in every order, and a deadlock is found."""

import threading
from collections.abc import Awaitable, Callable
from datetime import timedelta

import anyio
import anyio.to_thread
import pytest
from anyio.lowlevel import checkpoint

from rtactors.testing.clock import (
    BackendName,
    Deadlock,
    SteppedLoop,
    loop_passes,
    real_backends,
    run_stepped,
    run_virtual,
    settled,
)

backends = pytest.mark.parametrize("backend", [name for name, _ in real_backends()])
DAY = timedelta(days=1).total_seconds()


@backends
def test_time_starts_at_zero_and_jumps_to_the_exact_moment(backend: BackendName) -> None:
    async def program() -> list[float]:
        times = [anyio.current_time()]
        for moment in (0.1, 0.7, 0.7 + 1e-6, 1e6 + 1 / 3):
            await anyio.sleep_until(moment)
            times.append(anyio.current_time())
        return times

    assert run_virtual(program, backend=backend) == pytest.approx([0, 0.1, 0.7, 0.7 + 1e-6, 1e6 + 1 / 3], abs=1e-9)


@backends
def test_days_pass_in_no_time(backend: BackendName) -> None:
    async def program() -> float:
        async with anyio.create_task_group() as tasks:
            for n in range(10):
                tasks.start_soon(anyio.sleep, n * DAY)
        return anyio.current_time()

    assert run_virtual(program, backend=backend) == pytest.approx(9 * DAY)


@backends
def test_a_cancelled_timer_does_not_move_the_clock(backend: BackendName) -> None:
    async def program() -> float:
        for _ in range(300):  # enough for asyncio to sweep its heap
            with anyio.move_on_after(DAY):
                await checkpoint()
        await anyio.sleep(1)
        return anyio.current_time()

    assert run_virtual(program, backend=backend) == 1


@backends
def test_results_errors_and_arguments_pass(backend: BackendName) -> None:
    async def double(number: int) -> int:
        await checkpoint()
        if not number:
            raise ValueError("zero")
        return number * 2

    assert run_virtual(double, 21, backend=backend) == 42
    with pytest.raises(ValueError, match="zero"):
        run_virtual(double, 0, backend=backend)


async def forever() -> None:
    await anyio.Event().wait()


async def forever_asleep() -> None:
    await anyio.sleep_forever()


async def forever_among_others() -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(forever, name="the one that waits")
        tasks.start_soon(anyio.sleep, 1)


async def forever_without_mercy() -> None:
    try:
        await forever()
    finally:
        with anyio.CancelScope(shield=True):
            await forever()


@backends
@pytest.mark.parametrize(
    ("program", "named"),
    [
        (forever, "forever"),
        (forever_asleep, "forever_asleep"),
        (forever_among_others, "the one that waits in forever"),
        (forever_without_mercy, "forever"),
    ],
)
def test_a_deadlock_is_found_and_names_who_waits(
    program: Callable[[], Awaitable[None]], named: str, backend: BackendName
) -> None:
    with pytest.raises(Deadlock, match=rf"{named} .*test_clock\.py:\d+"):
        run_virtual(program, backend=backend)


@backends
def test_waiting_until_all_tasks_are_blocked_is_no_deadlock(backend: BackendName) -> None:
    async def program() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(forever)
            for _ in range(3):
                await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()

    run_virtual(program, backend=backend)


@backends
def test_settled_waits_for_all_that_needs_no_time(backend: BackendName) -> None:
    async def program() -> None:
        steps = 0

        async def work() -> None:
            nonlocal steps
            for _ in range(100):
                await checkpoint()
                steps += 1
            await anyio.sleep(1)
            steps += 1

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work)
            with anyio.CancelScope() as scope:
                scope.cancel()
                await settled()
            assert scope.cancelled_caught
            for _ in range(3):
                await settled()
                assert (steps, anyio.current_time()) == (100, 0)
        assert steps == 101

    run_virtual(program, backend=backend)


async def turns() -> list[int]:
    """In which order do twelve tasks take their turns?"""
    taken: list[int] = []

    async def take(number: int) -> None:
        for _ in range(3):
            await checkpoint()
            taken.append(number)

    async with anyio.create_task_group() as tasks:
        for number in range(12):
            tasks.start_soon(take, number)
    return taken


@backends
def test_a_seed_gives_an_order_of_its_own_again_and_again(backend: BackendName) -> None:
    orders = [run_virtual(turns, backend=backend, seed=seed) for seed in range(5)]
    assert orders == [run_virtual(turns, backend=backend, seed=seed) for seed in range(5)]
    assert len({tuple(order) for order in orders}) == 5


def test_without_a_seed_asyncio_keeps_its_usual_order() -> None:
    assert run_virtual(turns) == list(range(12)) * 3


def test_passes_of_the_loop_are_counted() -> None:
    async def program() -> int:
        before = loop_passes()
        for _ in range(5):
            await checkpoint()
        return loop_passes() - before

    assert run_virtual(program) == 5


@pytest.mark.anyio
class TestInThePlugin:
    async def test_time_is_virtual(self) -> None:
        await anyio.sleep(DAY)
        assert anyio.current_time() == pytest.approx(DAY)

    async def test_each_test_has_its_own_clock(self) -> None:
        assert anyio.current_time() < DAY

    @pytest.mark.sockets
    async def test_marked_sockets_it_may_wait_for_the_world(self) -> None:
        assert await anyio.to_thread.run_sync(threading.get_ident) != threading.get_ident()


def test_the_world_is_not_waited_for_in_virtual_time() -> None:
    release = threading.Event()
    with pytest.raises(Deadlock):
        run_virtual(anyio.to_thread.run_sync, release.wait)
    release.set()


# ------------------------------------------------------------------------------------------------------- by hand


def test_a_stepped_loop_moves_and_rings_only_when_told() -> None:
    rung: list[float] = []

    async def wait(seconds: float) -> None:
        await anyio.sleep(seconds)
        rung.append(seconds)

    async def program(loop: SteppedLoop) -> list[tuple[bool, list[float]]]:
        seen: list[tuple[bool, list[float]]] = []

        async def look() -> None:
            seen.append((loop.ring(), []))
            await settled()
            seen[-1][1].extend(rung)

        async with anyio.create_task_group() as tasks:
            for seconds in (3, 1, 2):
                tasks.start_soon(wait, seconds)
            with anyio.move_on_after(1.5) as cancelled:
                await settled()
            assert not cancelled.cancel_called
            await look()
            loop.at(2.5)
            assert anyio.current_time() == 2.5
            await settled()
            for _ in range(4):
                await look()
            loop.at(1e6)
            await look()
        return seen

    assert run_stepped(program) == [
        (False, []),
        (True, [1]),
        (True, [1, 2]),
        (False, [1, 2]),
        (False, [1, 2]),
        (True, [1, 2, 3]),
    ]


def test_a_stepped_loop_finds_a_deadlock() -> None:
    async def program(_loop: SteppedLoop) -> None:
        await anyio.sleep(1)

    with pytest.raises(Deadlock):
        run_stepped(program)


def test_tasks_that_are_cancelled_together_are_so_in_the_same_order_each_time() -> None:
    """A loop keeps them in sets, whose order is that of addresses."""

    async def cancel_many() -> list[int]:
        order: list[int] = []

        async def wait(number: int) -> None:
            try:
                await anyio.sleep_forever()
            finally:
                order.append(number)

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(wait, number)
            await settled()
            tasks.cancel_scope.cancel()
        return order

    keep: list[bytearray] = []
    orders: set[tuple[int, ...]] = set()
    for size in range(1, 20):
        keep += [bytearray(size * 37) for _ in range(size * 11)]  # so that addresses differ
        orders.add(tuple(run_virtual(cancel_many, seed=3)))
    assert len(orders) == 1
