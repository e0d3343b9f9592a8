"""Virtual time: code that waits runs at once, on a clock that jumps to the next thing scheduled.

A test of a five minute conversation takes milliseconds, its timing is exact, and a program that waits for something
that can never happen is found at once: nothing is ready, nothing is scheduled, so `Deadlock` is raised and names who
waits.

    run_virtual(conversation)                                    # asyncio
    run_virtual(conversation, backend="trio", seed=7)            # trio, in the seventh interleaving

With anyio's pytest plugin, in `conftest.py`:

    @pytest.fixture(params=virtual_backends(), ids=lambda backend: backend[0])
    def anyio_backend(request: pytest.FixtureRequest) -> Backend:
        return request.param

What must not run here: threads, subprocesses and real sockets. The clock doesn't wait for them: it jumps past every
deadline while they work, or sees a deadlock. (Loops may wake themselves up: signals and `call_soon_threadsafe` are
heard.) For those there are `real_backends()`.

`await settled()` lets everything happen that can happen before the clock moves. (`anyio.wait_all_tasks_blocked` does so
on trio only: on asyncio it polls every 100 ms, and that moves the clock.)

Time starts at 0. A seed shuffles the order in which tasks that are ready at the same moment take their turns, the same
way each time: run a test over many seeds to search for races, over one seed to repeat what was found. Without a seed
asyncio keeps its usual order (first come, first served) and trio draws its own, new in every run.
"""

import asyncio
import heapq
import math
import random
import selectors
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextvars import Context
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal, NoReturn, TypeAlias, TypeVar, TypeVarTuple
from weakref import WeakKeyDictionary

import anyio

BackendName: TypeAlias = Literal["asyncio", "trio"]
Backend: TypeAlias = tuple[BackendName, dict[str, Any]]
"""A backend and its options, as `anyio.run` and anyio's pytest plugin take them."""

Args = TypeVarTuple("Args")
Result = TypeVar("Result")


class Deadlock(BaseException):
    """Every task waits, and nothing is scheduled that could wake one of them.

    Not an `Exception`: no supervisor under test shall take it for a crash to recover from.
    """


def virtual_backend(name: BackendName = "asyncio", *, seed: int | None = None) -> Backend:
    """One backend with a virtual clock of its own, and with a seeded order of turns if wanted."""
    if name == "asyncio":
        return name, {"loop_factory": lambda: VirtualLoop(seed)}
    import trio.testing

    return name, {"clock": trio.testing.MockClock(autojump_threshold=0), "instruments": [_TrioWatch(seed)]}


def virtual_backends(*, seed: int | None = None) -> list[Backend]:
    """All backends that are installed, in virtual time: asyncio, and trio if it is there."""
    return [virtual_backend(name, seed=seed) for name, _ in real_backends()]


def real_backends() -> list[Backend]:
    """All backends that are installed, in real time."""
    names: tuple[BackendName, ...] = ("asyncio", "trio") if find_spec("trio") else ("asyncio",)
    return [(name, {}) for name in names]


def run_virtual(
    async_fn: Callable[[*Args], Awaitable[Result]],
    *args: *Args,
    backend: BackendName = "asyncio",
    seed: int | None = None,
) -> Result:
    """`anyio.run` in virtual time. Raises Deadlock if the program can't go on."""
    name, options = virtual_backend(backend, seed=seed)
    try:
        return anyio.run(async_fn, *args, backend=name, backend_options=options)
    except BaseExceptionGroup as group:
        # trio hands a Deadlock to the program, whose task groups wrap it: it is about the whole run, so it stands alone
        if deadlocks := group.subgroup(Deadlock):
            raise _first(deadlocks) from None
        raise


async def settled() -> None:
    """Wait until every other task waits: for the clock, or for one another."""
    if anyio.get_cancelled_exc_class() is asyncio.CancelledError and isinstance(
        loop := asyncio.get_running_loop(), VirtualLoop
    ):
        await loop.settled()
    else:
        await anyio.wait_all_tasks_blocked()


def loop_passes() -> int:
    """How many passes the running `VirtualLoop` has begun: a measure of what waits behind what, free of any clock."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop), "passes are counted by the virtual asyncio loop only"
    return loop.passes


def _first(group: BaseExceptionGroup[Deadlock]) -> Deadlock:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


# --------------------------------------------------------------------------------------------------------- asyncio


class _Selector(selectors.DefaultSelector):
    """Never waits: when the loop would, `jump` moves its clock instead."""

    def __init__(self, jump: Callable[[], None]) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events and timeout != 0:
            self._jump()
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio event loop in virtual time (see the module)."""

    passes = 0
    """How many passes over its ready callbacks the loop has begun."""

    def __init__(self, seed: int | None = None) -> None:
        self._now = 0.0
        self._idle_waiters: list[asyncio.Future[None]] = []
        self._made = 0
        self._numbers: WeakKeyDictionary[object, int] = WeakKeyDictionary()  # of tasks, in the order they were made
        self._shuffle = None if seed is None else random.Random(seed).shuffle  # noqa: S311 - repeatable, not secret
        super().__init__(_Selector(self._jump))

    def time(self) -> float:
        return self._now

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:  # noqa: ANN401 - as the base, whatever that takes
        task: asyncio.Task[Any] = super().create_task(coro, **options)
        self._made += 1
        self._numbers[task] = self._made
        return task

    def _number(self, handle: asyncio.Handle) -> int:
        """Of the task that takes its turn; 0 for what is none."""
        callback: Any = handle._callback  # noqa: SLF001 - private, see below
        task: object = getattr(callback, "__self__", None)
        return self._numbers.get(task, 0) if isinstance(task, asyncio.Task) else 0

    async def settled(self) -> None:
        waiter = self.create_future()
        self._idle_waiters.append(waiter)
        await waiter

    # The private names here have been the loop's since Python 3.4. There is no public way to learn *when* the
    # next timer is due: from the timeout that the selector gets, now + timeout would miss it by a rounding error.
    _ready: Any
    _scheduled: list[asyncio.TimerHandle]

    def _run_once(self) -> None:
        self.passes += 1
        if self._shuffle and len(self._ready) > 1:
            # Who is cancelled together is so in the order of a set, which differs from run to run: so sorted before.
            handles = sorted(self._ready, key=self._number)
            self._shuffle(handles)
            self._ready.clear()
            self._ready.extend(handles)
        super()._run_once()  # type: ignore[misc] - private, see above

    def _jump(self) -> None:
        """Nothing is ready."""
        if self._idle_waiters:
            waiters, self._idle_waiters = self._idle_waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)
            return
        if not self._scheduled or self._scheduled[0].when() == math.inf:  # which is how to sleep for ever
            waiting = ((task.get_name(), task.get_coro()) for task in asyncio.all_tasks(self))
            raise Deadlock(_explain(waiting))
        self._now = max(self._now, self._scheduled[0].when())


class SteppedLoop(VirtualLoop):
    """A loop whose time stands still: `at` moves it, and no timer rings, however late, until `ring` lets one.

    For a replay, which knows when each thing happened. `run_stepped` runs on it.
    """

    def __init__(self) -> None:
        self._held: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._count = 0
        super().__init__()
        self._clock_resolution = 1e-6  # of clocks that a recording may come from

    def at(self, now: float) -> None:
        """It is `now`."""
        self._now = now

    def ring(self) -> bool:
        """Let the one that is due for longest ring; False if none is."""
        while self._held and self._held[0][0] <= self._now + self._clock_resolution:
            _, _, handle = heapq.heappop(self._held)
            if not handle.cancelled():
                self._ready.append(handle)
                return True
        return False

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,  # noqa: ANN401 - whatever the callback takes
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._count += 1
        heapq.heappush(self._held, (when, self._count, handle))
        return handle


def run_stepped(async_fn: Callable[[SteppedLoop], Awaitable[Result]]) -> Result:
    """Run it with the loop that it runs on. Raises Deadlock if it waits for anything but `settled()`."""
    loop = SteppedLoop()
    return anyio.run(async_fn, loop, backend_options={"loop_factory": lambda: loop})


# ------------------------------------------------------------------------------------------------------------ trio


class _TrioWatch:
    """A trio instrument that finds deadlocks and seeds the scheduler.

    `MockClock` can't tell a deadlock: with nothing scheduled it spins. So two idle passes with no step between them are
    one, and it is handed to the program in the way that trio hands over Ctrl-C. The names used are private: trio has no
    public way to throw into a task, to seed its scheduler, or to build on MockClock.
    """

    def __init__(self, seed: int | None) -> None:
        self._seed = seed
        self._idle_passes = 0
        self._trio: Any = import_module("trio")
        self._scheduler: Any = import_module("trio._core._run")

    def before_run(self) -> None:
        if self._seed is not None:
            self._scheduler._ALLOW_DETERMINISTIC_SCHEDULING = True  # noqa: SLF001 - see the class
            self._scheduler._r.seed(self._seed)  # noqa: SLF001 - see the class

    def after_run(self) -> None:
        if self._seed is not None:
            self._scheduler._ALLOW_DETERMINISTIC_SCHEDULING = False  # noqa: SLF001 - see the class
            self._scheduler._r.seed()  # noqa: SLF001 - see the class

    def before_task_step(self, _task: object) -> None:
        self._idle_passes = 0

    def after_io_wait(self, _timeout: float) -> None:
        now = self._trio.lowlevel.current_statistics()
        if now.tasks_runnable or now.seconds_to_next_deadline < float("inf"):
            self._idle_passes = 0
            return
        self._idle_passes += 1
        if self._idle_passes > 1:
            self._throw()

    def _throw(self) -> None:
        tasks = list(_trio_tasks(self._scheduler.GLOBAL_RUN_CONTEXT.runner.main_task))
        deadlock = Deadlock(_explain((task.name, task.coro) for task in tasks))

        def throw() -> NoReturn:
            raise deadlock

        for task in tasks:
            if task._abort_func:  # noqa: SLF001 - see the class
                task._attempt_abort(throw)  # noqa: SLF001 - see the class
                return


def _trio_tasks(task: Any) -> Iterator[Any]:  # noqa: ANN401 - trio is optional
    yield task
    for nursery in task.child_nurseries:
        for child in nursery.child_tasks:
            yield from _trio_tasks(child)


# ----------------------------------------------------------------------------------------------------- who waits


def _explain(tasks: Iterable[tuple[str, object]]) -> str:
    places = sorted(f"{name} in {place}" for name, coro in tasks if (place := _place(coro)))
    waiting = "; ".join(places) or "no task of the program"
    return f"every task waits and nothing is scheduled that could wake one; waiting: {waiting}"


_MACHINERY = frozenset({"asyncio", "anyio", "trio", "contextlib"})


def _place(coro: Any) -> str:  # noqa: ANN401 - whatever can be awaited
    """The innermost line at which the program, not an event loop, waits; empty for a task of the machinery."""
    place = ""
    while frame := getattr(coro, "cr_frame", None) or getattr(coro, "gi_frame", None):
        if frame.f_globals.get("__name__", "").partition(".")[0] not in _MACHINERY:
            place = f"{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_lineno})"
        coro = getattr(coro, "cr_await", None) or getattr(coro, "gi_yieldfrom", None)
    return place
