"""One plan -> one conversation -> a verdict.

    outcome = simulate(plan_of(7))
    assert not outcome.violations, outcome.story()

The session, its actors and the provider's adapter are the real ones. Around them everything is simulated: the server
(the embedded one, which knows what was sent and what it holds), the network, the device (`Ears` know what was heard),
the app and its user, and the clock. The judge (`rtactors.testing.invariants`) goes by these and by nothing else.
"""

import math
import random
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import anyio
from anyio import NoEventLoopError
from anyio.lowlevel import checkpoint
from msgspec import Struct
from msgspec.structs import replace

from rtactors.errors import ConnectionFailed, RtactorsError, SessionClosed, SinkLost
from rtactors.limits import Backoff, Bounds, Deadlines
from rtactors.loopback.server import MemoryServer
from rtactors.loopback.session import Session as ServerSession
from rtactors.recording import Recorder
from rtactors.session import Session
from rtactors.session_events import ConnectionChanged, SessionEvent, Transition
from rtactors.testing.clock import Deadlock, run_virtual
from rtactors.testing.conversation import ALL_EVENTS
from rtactors.testing.ears import Ears
from rtactors.testing.evidence import Connection, Evidence
from rtactors.testing.eyes import Eyes
from rtactors.testing.invariants import InvariantBroken, Violation, check_invariants
from rtactors.testing.simulation.agent import delegate_of
from rtactors.testing.simulation.app import AppCrashed, NeverQuiet, OwnApp, Stage
from rtactors.testing.simulation.device import RATE, Blur, SimulatedDevice
from rtactors.testing.simulation.network import Line, SimulatedNetwork
from rtactors.testing.simulation.plan import Break, Network, Plan
from rtactors.testing.simulation.provider import (
    CUT_MARK,
    EXPIRED,
    MS_PER_CHARACTER,
    NO_QUOTA,
    OWN_FUNCTION,
    VOICE,
    Understands,
    aligner_of,
    error_event,
    faults_of,
    policy_of,
    provider_of,
    script_of,
    timing_of,
)
from rtactors.testing.simulation.story import Story
from rtactors.testing.simulation.tools import set_up, tools_of
from rtactors.testing.simulation.watched import AppRecord, WatchedSession
from statecharts.connection import CONNECTION, Opened
from statecharts.link import LINK, Adopt, Lost
from statecharts.message import MESSAGE

DEADLINES = Deadlines()
_EPOCH = 1_700_000_000
"""The unix time at which every conversation begins."""
_THERE = LINK.group("connected", "preparing", "prepared")
_TURNS = ("first turn", "second turn", "third turn", "fourth turn", "and so on")


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of a plan."""

    plan: Plan
    violations: tuple[Violation, ...]
    """What did not hold; none if all is well."""
    evidence: Evidence | None
    """None if the conversation did not come to its end."""
    story: Story
    """All that happened, to read."""
    seconds: float
    """How long it was, in virtual time."""
    breaks: tuple[float, ...] = ()
    """When connections ended because the plan says so."""
    faults: tuple[int, ...] = ()
    """How often each of the plan's faults at the provider happened."""

    @property
    def failed(self) -> bool:
        return bool(self.violations)


def simulate(plan: Plan, *, app: OwnApp | None = None, record: Path | None = None) -> Outcome:
    """Have the conversation, and judge it. The same plan gives the same outcome.

    With an `app` of your own the plan's user speaks to that one, instead of to the plan's. `record` is a file for a
    recording of the session, which `rtactors replay` steps through.
    """
    world = _World(plan, app, record)
    violations: Sequence[Violation] = ()
    evidence: Evidence | None = None
    try:
        with _virtual_wall_clock():
            evidence = run_virtual(world.converse, backend=plan.backend, seed=plan.turns)
        check_invariants(evidence)
    except InvariantBroken as broken:
        violations = broken.violations
    except Deadlock as deadlock:
        violations = (Violation("I10", str(deadlock)),)
    except NeverQuiet as never:
        violations = (Violation("I10", str(never)),)
    except (Exception, BaseExceptionGroup) as crash:  # noqa: BLE001 - whatever it is, it should not have left
        violations = (Violation("I10", f"the conversation ended with {_told(crash)}"),)
    return Outcome(
        plan=plan,
        violations=tuple(violations),
        evidence=evidence,
        story=Story(tuple(world.events), tuple(world.server.sessions), tuple(world.ears.segments)),
        seconds=world.ended_at,
        breaks=tuple(world.breaks),
        faults=tuple(world.faults.applied[: len(plan.faults)]),
    )


@contextmanager
def _virtual_wall_clock() -> Generator[None]:
    """The wall clock is virtual, too: a provider tells by it when a session will end."""
    real = time.time

    def virtual() -> float:
        try:
            return _EPOCH + anyio.current_time()
        except NoEventLoopError:
            return real()

    time.time = virtual
    try:
        yield
    finally:
        time.time = real


class _World:
    """All that one conversation needs; what is left of it stays here for who comes after."""

    def __init__(self, plan: Plan, own: OwnApp | None, record: Path | None) -> None:
        # Somebody's own app answers all calls by itself.
        self.plan = replace(plan, tools=(), agent=None) if own else plan
        self.own = own
        self.record = record
        self.events: list[SessionEvent] = []
        self.app = AppRecord()
        self.device = SimulatedDevice(plan.device)
        self.ears = Ears(self.device, tells=Blur(plan.device), lag=plan.device.lag_ms / 1000)
        self.eyes = Eyes(self.ears)
        self.network = SimulatedNetwork(plan.network, plan.turns)
        self.faults = faults_of(plan.faults, plan.text)
        self.server: MemoryServer
        self.ended_at = 0.0
        self.failure: RtactorsError | None = None
        self.breaks: list[float] = []
        """When connections ended because the plan says so."""
        self.dead: set[int] = set()
        """Their numbers."""

    async def converse(self) -> Evidence:
        plan = self.plan
        before = {task.id for task in anyio.get_running_tasks()}
        script, halts = script_of(plan)
        self.server = MemoryServer(
            script,
            voice=VOICE,
            timing=timing_of(plan.model),
            faults=self.faults,
            recognizer=Understands(*_TURNS),
            session_limit_s=plan.model.limit_s or math.inf,
            word_times=plan.text.timed,
        )
        async with self.server:
            connect, delegate = self.server.connect, delegate_of(plan, self.app)
            session = WatchedSession(
                provider_of(plan),
                sink=self.ears,
                connect=connect if plan.network == Network() else self.network.through(connect),
                reconnect=Backoff(luck=random.Random(plan.turns).random) if plan.reconnects else None,  # noqa: S311
                deadlines=DEADLINES,
                bounds=Bounds(events=ALL_EVENTS),
                tools=tools_of(plan, self.app),
                delegate=delegate,
                interruption=policy_of(plan.interruption),
                recorder=Recorder(self.record) if self.record else None,
                aligner=self.eyes.aligner(aligner_of(plan)),
                cut_mark=CUT_MARK if plan.text.mark else "",
            )
            session.eyes = self.eyes
            news = session.events()
            try:
                async with anyio.create_task_group() as fate:
                    session.watch(fate, self.app)
                    fate.start_soon(self._break_connections)
                    fate.start_soon(self._unplug)
                    for halt in halts:
                        fate.start_soon(halt.run)
                    try:
                        await self._hold(session)
                    finally:
                        self.ended_at = anyio.current_time()
                        await _take_turns()  # who waited for a reply, learns that it is over
                        fate.cancel_scope.cancel()
                for wire in self.server.sessions:
                    await wire.closed.wait()
            finally:
                self.events += [event async for event in news]
        return self._evidence(session, await _left_over(before))

    async def _hold(self, session: Session) -> None:
        """The conversation itself. Only what the plan provides for may end it."""
        try:
            with anyio.CancelScope() as scope:
                async with session:
                    await Stage(self.plan, session, self.app, own=self.own, cancel=scope.cancel).act()
        except (RtactorsError, AppCrashed, BaseExceptionGroup) as ending:
            unexpected = [error for error in _leaves(ending) if not self._was_planned(error)]
            if unexpected:
                raise
            self.failure = next((error for error in _leaves(ending) if isinstance(error, RtactorsError)), None)

    def _was_planned(self, error: BaseException) -> bool:
        match error:
            case AppCrashed():
                return True
            case ConnectionFailed():  # the first connection is not tried again
                return bool(self.breaks)
            case SessionClosed():
                hows = {end.how for end in self.plan.network.breaks[: len(self.breaks)]}
                return "no_quota" in hows or (bool(hows) and not self.plan.reconnects)
            case SinkLost():
                return self.ears.lost_at is not None
            case _:
                return False

    # -- fate

    async def _break_connections(self) -> None:
        """The nth connection ends as the plan says."""
        for number, end in enumerate(self.plan.network.breaks):
            line = await self.network.connected(number)
            await anyio.sleep(max(end.at_ms, 1) / 1000)
            wire = self.server.sessions[number]
            if not wire.closed.is_set():
                self.breaks.append(anyio.current_time())
                self.dead.add(number)
                await _break(end, line, wire)

    async def _unplug(self) -> None:
        if self.plan.device.lost_ms:
            await anyio.sleep(self.plan.device.lost_ms / 1000)
            self.device.lose()

    # -- what is known when it is over

    def _evidence(self, session: Session, left_over: tuple[str, ...]) -> Evidence:
        plan, app = self.plan, self.app
        in_use, there = _in_use(self.events, app.left_at)
        connections = [
            Connection(
                items=wire.items,
                log=tuple(wire.log.records),
                heard_until=self._heard_until(number),
                open=there and number == in_use and number not in self.dead,
            )
            for number, wire in enumerate(
                self.server.sessions[: in_use + 1]
            )  # behind it are those never taken into use
        ]
        missing = any(line.missing_ms for reply in plan.replies for line in reply.lines)
        simulated = plan.network != Network()
        up, down = self._slowest_up(), self._slowest_down()
        return Evidence(
            segments=tuple(self.ears.segments),
            connections=tuple(connections),
            history=tuple(session.history),
            events=tuple(self.events),
            replies=tuple(app.replies),
            asked=app.asked,
            waits=tuple(app.waits.values()),
            removed=frozenset(app.removed),
            undecided=self._undecided(),
            stopped=app.stopped,
            placed=tuple(app.placed),
            interruptions=tuple(app.interruptions),
            pauses=tuple(app.pauses),
            answers=app.answers,
            tools=set_up(plan),
            declared=frozenset({OWN_FUNCTION}),
            runs=tuple(app.runs),
            delegate=delegate_of(plan, app),
            policy=policy_of(plan.interruption),
            works=tuple(app.works),
            seen=tuple(self.eyes.seen),
            alignments=self.eyes.alignments,
            settled=app.settled and self.failure is None,
            faultless=not (
                plan.faults
                or self.breaks
                or plan.model.limit_s
                or missing
                or plan.calls.times > 1
                or self.ears.lost_at
                or up + down > DEADLINES.acknowledge / 2
            ),
            refuses=any(fault.what == "refused" for fault in plan.faults),
            left_at=app.left_at,
            ended_at=self.ended_at,
            left_over=left_over,
            rate=RATE,
            slack_ms=plan.device.block_ms,
            ms_per_character=MS_PER_CHARACTER if plan.text.aligner == "even" else None,
            cut_mark=CUT_MARK if plan.text.mark else "",
            deadlines=DEADLINES,
            device_lost_at=self.ears.lost_at,
            held_up=max(line.longest_send for line in self.network.connections) if simulated else None,
            delay=down,
            round_trip=up + down + plan.model.command_ms / 1000 + 0.02,
        )

    def _heard_until(self, number: int) -> float:
        if number >= len(self.network.connections):
            return math.inf
        sent = [record.at for record in self.server.sessions[number].log.records if record.sent]
        arrived = len(self.network.connections[number].down.arrivals)
        return sent[arrived] if arrived < len(sent) else math.inf

    def _slowest_up(self) -> float:
        return max((line.up.slowest for line in self.network.connections), default=0.0)

    def _slowest_down(self) -> float:
        """The longest from when the server told something to when it arrived."""
        slowest = 0.0
        for line, wire in zip(self.network.connections, self.server.sessions, strict=False):
            sent = (record.at for record in wire.log.records if record.sent)
            slowest = max([slowest, *(at - begun for begun, at in zip(sent, line.down.arrivals, strict=False))])
        return slowest

    def _undecided(self) -> frozenset[str]:
        """What came to be in the very moment in which the app set the history, or hung up."""
        delay = self._slowest_down()
        undecided: set[str] = set()
        told = [
            (record.at, record.json["item"]["id"])
            for wire in self.server.sessions
            for record in wire.log.records
            if record.type == "conversation.item.added"
        ]
        ended = [
            (event.at, event.id)
            for event in self.events
            if isinstance(event, Transition) and event.chart == MESSAGE.name and event.after in MESSAGE.final
        ]
        for at, kept in self.app.replaced:
            undecided.update(item_id for then, item_id in ended if then == at and item_id not in kept)
            undecided.update(item_id for then, item_id in told if at - delay <= then <= at and item_id not in kept)
        undecided -= self.app.removed
        closed = [event.at for event in self.events if isinstance(event, ConnectionChanged) and event.state == "closed"]
        hung_up = min(closed, default=self.ended_at)  # it did not come so far, within its deadlines
        unheard = [self._heard_until(number) for number in range(len(self.server.sessions))]
        undecided.update(item_id for then, item_id in told if then >= min(hung_up - delay, unheard[-1]))
        held = {item.id for wire in self.server.sessions for item in wire.items}
        undecided |= held - {item_id for _, item_id in told}  # what the server did last it could not tell any more
        return frozenset(undecided)


async def _break(end: Break, line: Line, wire: ServerSession) -> None:
    match end.how:
        case "closed":
            await wire.close(1001, "the server goes away")
        case "cut":
            line.cut()
        case "half_open":
            line.freeze()
        case "expired" | "no_quota":
            wire.inject(error_event(EXPIRED if end.how == "expired" else NO_QUOTA))
            await anyio.sleep(0.01)
            await wire.close(1000)


def _in_use(events: Sequence[SessionEvent], left_at: float) -> tuple[int, bool]:
    """Which connection the session used last, from 0, and whether it still did, and had when it was left."""
    opened: list[str] = []
    ready, used, there, late = "", 0, False, False
    for event in events:
        if isinstance(event, Transition) and event.chart == CONNECTION.name:
            if isinstance(event.event, Opened):
                opened.append(event.id)
            ready = event.id if event.after == "ready" != event.before else ready
        elif isinstance(event, Transition) and event.chart == LINK.name:
            if any(isinstance(effect, Adopt) for effect in event.effects):
                used = opened.index(ready)
                late = event.at >= left_at
            there = event.before in _THERE if event.after == "closed" else event.after in _THERE
            there = there and not isinstance(event.event, Lost)
    return used, there and not late


async def _left_over(before: set[int]) -> tuple[str, ...]:
    """Names of tasks that were begun since and still run; what is ending gets a few turns to do so."""
    await _take_turns()
    return tuple(task.name or "a task" for task in anyio.get_running_tasks() if task.id not in before)


async def _take_turns() -> None:
    """Everybody else, as often as they need to."""
    for _ in range(20):
        await checkpoint()


def _leaves(error: BaseException) -> list[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    group = cast("BaseExceptionGroup[BaseException]", error)
    return [leaf for each in group.exceptions for leaf in _leaves(each)]


def _told(error: BaseException) -> str:
    return "; ".join(f"{type(leaf).__name__}: {leaf}" for leaf in _leaves(error))
