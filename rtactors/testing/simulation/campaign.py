"""Many seeds over several processes, with figures: what was run, what went wrong in it, and what did not hold."""

import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path

from msgspec import Struct, field

from rtactors.session_events import ConnectionChanged, Transition
from rtactors.testing.evidence import Evidence
from rtactors.testing.invariants import Violation
from rtactors.testing.simulation.chance import plan_of
from rtactors.testing.simulation.plan import Plan
from rtactors.testing.simulation.run import Outcome, simulate
from rtactors.testing.simulation.shrink import shrink
from statecharts.interruption import INTERRUPTION
from statecharts.message import MESSAGE

_BATCH = 50
"""Seeds that a process takes at a time."""


class Failure(Struct, frozen=True):
    """A seed whose conversation was not sound: as it came, and made as small as it still fails."""

    seed: int
    plan: Plan
    violations: tuple[Violation, ...]
    lines: tuple[str, ...]
    """What happened in the small one."""

    def __str__(self) -> str:
        wrong = "\n".join(f"  {violation}" for violation in self.violations)
        return f"seed {self.seed}:\n{wrong}\n" + "\n".join(self.lines)


class Figures(Struct, kw_only=True):
    """What a campaign counted."""

    conversations: int = 0
    virtual_s: float = 0.0
    counts: Counter[str] = field(default_factory=Counter[str])
    """By what it is: messages by outcome, interruptions, function calls, ..."""
    faults: Counter[str] = field(default_factory=Counter[str])
    """By kind: of the provider's how often each happened, of network and device in how many conversations."""
    failures: list[Failure] = field(default_factory=list[Failure])

    def add(self, other: "Figures") -> None:
        self.conversations += other.conversations
        self.virtual_s += other.virtual_s
        self.counts += other.counts
        self.faults += other.faults
        self.failures += other.failures

    def lines(self) -> Iterator[str]:
        """A table."""
        yield f"{'conversations':<28}{self.conversations:>12,}"
        yield f"{'virtual hours':<28}{self.virtual_s / 3600:>12,.1f}"
        for name, count in sorted(self.counts.items()):
            yield f"{name:<28}{count:>12,}"
        yield "faults"
        for name, count in sorted(self.faults.items()):
            yield f"  {name:<26}{count:>12,}"
        yield f"{'failures':<28}{len(self.failures):>12,}"


def count(outcome: Outcome) -> Figures:
    """The figures of one conversation."""
    counts: Counter[str] = Counter()
    events = outcome.story.events
    for event in events:
        if isinstance(event, Transition) and event.chart == MESSAGE.name and event.after in MESSAGE.final:
            if event.before not in MESSAGE.final:
                counts[f"messages {event.after}"] += 1
        elif isinstance(event, Transition) and event.chart == INTERRUPTION.name:
            name = _ALARMS.get(event.after) if event.before in {"suspected", "committed"} else None
            counts.update([name] if name else [])
        elif isinstance(event, ConnectionChanged) and event.state == "connected":
            counts["connections"] += 1
        elif not isinstance(event, Transition):
            name = _COUNTED.get(type(event).__name__)
            counts.update([name] if name else [])
    if outcome.evidence:
        counts.update(_asked(outcome.evidence))
        counts.update(_worked(outcome.evidence))
    return Figures(
        conversations=1, virtual_s=outcome.seconds, counts=counts, faults=Counter(_faults(outcome)), failures=[]
    )


def _asked(evidence: Evidence) -> Mapping[str, int]:
    """Of requests, and what became of them."""
    replies = evidence.replies
    joined = Counter(reply.response_id for reply in replies if reply.response_id)
    wanted = [asked.wanted for asked in evidence.asked.values()]
    return {
        "interruptions by the app": len(evidence.interruptions),
        "replies asked for": len(replies),
        "replies failed": sum(reply.failure is not None for reply in replies),
        "replies too late": sum("did not start it within" in (reply.failure or "") for reply in replies),
        "replies joined": sum(joined.values()) - len(joined),
        "replies more urgent": sum(bool(each.get("priority")) for each in wanted),
        "replies out of band": sum(bool(each.get("out_of_band")) for each in wanted),
        "replies in writing": sum(each.get("output") == "text" for each in wanted),
        "replies uninterruptible": sum(each.get("interruption") is not None for each in wanted),
        "replies stopped by handle": len(evidence.stopped),
    }


def _worked(evidence: Evidence) -> Iterator[str]:
    """Of tools and the agent: one for each run."""
    for run in evidence.runs:
        yield f"tools {run.end}"
    for work in evidence.works:
        yield f"agent {work.end}"
        yield from ["agent steered"] * (len(work.request_ids) - 1)


_COUNTED = {
    "UserStartedSpeaking": "turns of the user",
    "Interrupted": "interruptions by anybody",
    "ToolProgress": "tools' progress",
    "FunctionCalled": "function calls",
    "Problem": "problems told to the app",
}

_ALARMS = {"dismissed": "false alarms", "doubted": "false alarms", "turn": "conditions met", "taken": "conditions met"}


def _faults(outcome: Outcome) -> Iterator[str]:
    plan = outcome.plan
    for fault, times in zip(plan.faults, outcome.faults, strict=True):
        yield from [f"provider: {fault.what}"] * times
    begun = sum(len(connection.log.find("response.created")) for connection in outcome.story.connections)
    for reply in plan.replies[:begun]:
        if reply.ending != "completed":
            yield f"provider: {reply.ending}"
        yield from ("provider: halts" for line in reply.lines if line.halt_ms)
        yield from ("provider: holds less than it sent" for line in reply.lines if line.missing_ms)
    for end in plan.network.breaks[: len(outcome.breaks)]:
        yield f"network: {end.how}"
    network = plan.network
    if network.up_ms or network.down_ms or network.jitter_ms:
        yield "network: slow"
    if network.up_kb_s or network.down_kb_s:
        yield "network: narrow"
    device = plan.device
    for name, there in {
        "coarse": device.block_ms,
        "late reports": device.lag_ms,
        "late start": device.latency_ms,
        "lost reports": device.mute,
        "plays on after clear": device.tail_ms,
        "stalls": device.stalls,
        "unplugged": 0 < device.lost_ms / 1000 < outcome.seconds,
    }.items():
        if there:
            yield f"device: {name}"


def run_seeds(seeds: Iterable[int], *, disconnects: bool = True) -> Figures:
    """In this process. What fails is told, not raised; it is made smaller."""
    figures = Figures()
    for seed in seeds:
        outcome = simulate(plan_of(seed, disconnects=disconnects))
        figures.add(count(outcome))
        if outcome.failed:
            figures.failures.append(explain(seed, outcome))
    return figures


def explain(seed: int, outcome: Outcome) -> Failure:
    small = shrink(outcome)
    return Failure(seed, small.plan, small.violations, tuple(small.story.lines()))


def campaign(
    seeds: range,
    *,
    processes: int | None = None,
    disconnects: bool = True,
    progress: Callable[[Figures, float], None] = lambda _figures, _seconds: None,
    most_failures: int = 3,
) -> Figures:
    """All seeds, on all cores if `processes` is None; ends early when so many have failed.

    `progress` is told the figures so far, and for how many seconds it has been running.
    """
    begun = time.monotonic()
    figures = Figures()
    batches = [seeds[start : start + _BATCH] for start in range(0, len(seeds), _BATCH)]
    run = partial(run_seeds, disconnects=disconnects)
    processes = min(processes or os.cpu_count() or 1, len(batches))
    for done in _in_processes(run, batches, processes) if processes > 1 else map(run, batches):
        figures.add(done)
        progress(figures, time.monotonic() - begun)
        if len(figures.failures) >= most_failures:
            break
    figures.failures.sort(key=lambda failure: failure.seed)
    return figures


def _in_processes(run: Callable[[range], Figures], batches: Sequence[range], processes: int) -> Iterator[Figures]:
    """As they are done; those that nobody waits for any more are not begun."""
    # Fresh processes: a fork would carry over threads and open files of whoever runs this.
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            for done in as_completed([pool.submit(run, batch) for batch in batches]):
                yield done.result()
        finally:
            pool.shutdown(cancel_futures=True)


def keep(failure: Failure, folder: Path) -> tuple[Path, Path]:
    """The small plan and a recording of its session, as files.

    `python -m rtactors.testing.simulation --plan FILE` has the one again; `rtactors replay` steps through the other.
    """
    plan, recording = (folder / f"simulation-{failure.seed}.{suffix}" for suffix in ("json", "jsonl"))
    plan.write_text(failure.plan.to_json() + "\n", encoding="utf-8")
    simulate(failure.plan, record=recording)
    return plan, recording
