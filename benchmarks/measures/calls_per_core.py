"""How many calls that all talk one core can hold, and still be on time.

The side has one core and the server another. So many calls begin, one after the other; when all of them talk they are
watched for 3 s: how late is what the loop should do every 20 ms? After that the user interrupts each of them, at some
moment of the next 4 s: how long is the agent still heard? As many calls count as held for which

    the lateness of the tick stays under 5 ms at the 99th percentile, and
    the stop, from `speech_started` on the wire to the last sample let through, under 10 ms at the 99th percentile.

The most that are held are found by trying: from a guess up while it holds, down while it doesn't, then halfway between.
Each try has a new process; what just fails is tried twice, since a machine may be busy with something else.
"""

import math
import os
import sys
from typing import Any

from benchmarks.environments import PEERS
from benchmarks.lineup import FLOOR, OURS
from benchmarks.measures.base import Options, Results, Verdict, alone, markdown, percentile
from benchmarks.processes import Side, traffic

TITLE = "Calls per core"
MINUTES = 7

FROZEN = "after gc.freeze()"
"""What an app can do once its calls are open: the garbage collector then no longer goes through all they consist of."""
WATCH_S = 3
INTERRUPT_S = 4
DELTA_MS = 20
TICK_MS = 5
STOP_MS = 10
FINE = 1.2
"""Two numbers of calls of which one is held and the other isn't are near enough when they differ by this factor."""


def measure(options: Options) -> Results:
    found: list[dict[str, Any]] = []
    versions: dict[str, Any] = {}
    situations = [(OURS, "uvloop", False), (OURS, "uvloop", True), (OURS, "asyncio", False), (FLOOR, "uvloop", False)]
    situations += [(name, "asyncio", False) for name in PEERS]
    for name, loop, frozen in situations[:1] if options.quick else situations:
        if side := options.sides.get(name):
            search = Search(side, loop, frozen=frozen, quick=options.quick)
            held = search.run(10 if options.quick else 50 if name in PEERS else 300)
            found.append({"side": name, "loop": loop, "frozen": frozen, "held": held, "tries": search.tries})
            versions[name] = search.versions
    return {"found": found, "versions": versions}


class Search:
    """For the most calls that a side can hold."""

    def __init__(self, side: Side, loop: str, *, frozen: bool, quick: bool) -> None:
        self._side = side
        self._loop = loop
        self._frozen = frozen
        self._quick = quick
        self.tries: list[dict[str, Any]] = []
        self.versions: dict[str, str] = {}

    def run(self, calls: int) -> int:
        held, too_many = 0, None
        while too_many is None or too_many > max(held + 1, held * FINE):
            if self.holds(calls):
                held = calls
                if self._quick:
                    break
            else:
                too_many = calls
            calls = held * 3 // 2 if too_many is None else (held + too_many) // 2 if held else too_many // 2
        return held

    def holds(self, calls: int) -> bool:
        missed = self.try_with(calls)
        return missed < 1 or (missed < 2 and self.try_with(calls) < 1)

    def try_with(self, calls: int) -> float:
        """One try: by how many times it missed what it is to keep; less than 1 if it kept it."""
        found: dict[str, Any] = {"calls": calls}
        try:
            found |= self._watch(calls)
        except RuntimeError as error:  # it has told why by now
            found["failed"] = str(error)
        self.tries.append(found)
        print(f"calls_per_core: {self._side.script}, {self._loop}: {found}", file=sys.stderr)
        return max(found.get("tick_ms", math.inf) / TICK_MS, found.get("stop_ms", math.inf) / STOP_MS)

    def _watch(self, calls: int) -> dict[str, Any]:
        over_s = max(0.5, calls * 0.003)
        talk_s = over_s + 1 + WATCH_S
        cores = sorted(os.sched_getaffinity(0))  # those that we may use; if it is one, both share it
        with traffic(core=cores[-1]) as server:
            server.script(
                delta_ms=DELTA_MS,
                seconds=round(talk_s + INTERRUPT_S + 1),
                interrupt_ms=[talk_s * 1000, (talk_s + INTERRUPT_S) * 1000],
            )
            process = server.side(self._side, self._loop, core=cores[0])
            self.versions = process.ready["versions"]
            process.do("open", calls=calls)
            if self._frozen:
                process.do("freeze")
            said = process.do("talk", over_s=over_s, window_s=(0.5, 0.5 + WATCH_S), ticks=True)
            log = server.log()
        window = said["window"]
        found = {
            "tick_ms": round(percentile(window["late_ms"], 99), 2),
            "busy": round(window["cpu_s"] / window["wall_s"], 3),
            "server_late_ms": round(log["late_ms"], 2),
        }
        stops = [
            (one["stopped_ns"] - other["speech_ns"]) / 1e6
            for one, other in zip(said["heard"], log["responses"], strict=True)
            if one["stopped_ns"] and other["speech_ns"]
        ]
        if len(stops) == calls:
            found["stop_ms"] = round(percentile(stops, 99), 2)
        return found


def name_of(found: dict[str, Any]) -> str:
    return f"{found['side']} on {found['loop']}" + (f", {FROZEN}" if found["frozen"] else "")


def table(results: Results) -> str:
    head = ["", "calls", "core busy", "tick, ms", "stop, ms", "the next that were too many"]
    rows: list[list[str]] = []
    for found in results["found"]:
        at = next((tried for tried in reversed(found["tries"]) if tried["calls"] == found["held"]), None)
        more = min((tried for tried in found["tries"] if tried["calls"] > found["held"]), key=calls_of, default=None)
        rows.append([name_of(found), str(found["held"]), *(figures(at) if at else ["", "", ""])])
        rows[-1].append(f"{more['calls']}: {', '.join(figures(more))}" if more else "")
    return markdown(head, rows)


def figures(tried: dict[str, Any]) -> list[str]:
    busy, tick, stop = (tried.get(what) for what in ("busy", "tick_ms", "stop_ms"))
    return [f"{busy:.0%}" if busy else "failed", f"{tick:.1f}" if tick else "-", f"{stop:.1f}" if stop else "-"]


def calls_of(tried: dict[str, Any]) -> int:
    return tried["calls"]


def verdicts(results: Results) -> list[Verdict]:
    found = {name_of(each): each["held"] for each in results["found"]}
    ours = {each["loop"]: each["held"] for each in results["found"] if each["side"] == OURS and not each["frozen"]}
    best = max((each["held"] for each in results["found"] if each["side"] == OURS), default=0)
    verdicts = [Verdict("Talking calls a core, at our best", str(best), best >= 450, "at least 450")]
    for name, held in found.items():
        side, loop = name.split(",")[0].split(" on ")
        if side != OURS and loop in ours:
            what = f"Talking calls a core, {loop}: ours to {side}'s"
            verdicts.append(Verdict(what, f"{ours[loop]} to {held}", ours[loop] >= held))
    return verdicts


if __name__ == "__main__":
    alone(measure, table)
