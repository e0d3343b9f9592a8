"""CPU time for a piece of audio, from the socket to where the sound ends: of the side's process only, all its threads.

Calls are opened before, and the same process holds 1, then 10, and at last 600 of them. In each round all sides talk in
turn, in alternating order, with the same server, which sends at the pace of speech: a delta then finds an idle loop and
wakes it up, which is the usual case in a call, and the most expensive. Each call asks for one reply, one call after the
other; what is counted per audio event is the time while all of them talk and none begins or ends. What the rest took,
from asking for a reply to having heard it, less its audio at that price, is told apart, for each reply.

The peers are measured with 1, 10 and 100 calls. A side whose core is busy nearly all the time can't keep up: it gets
several deltas each time it looks, which is cheaper. It is reported as saturated; what it took all the same is a lower
bound.
"""

import sys
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from itertools import product
from statistics import median
from typing import Any

from benchmarks.environments import PEERS
from benchmarks.lineup import DIRECT_FLOOR, FLOOR, LEAN_FLOOR, OURS, PEER_VARIANTS, VARIANTS
from benchmarks.measures.base import Options, Results, Verdict, alone, markdown, spread
from benchmarks.processes import Process, Traffic, traffic

TITLE = "CPU per audio event"
MINUTES = 9

LOOPS = ("asyncio", "uvloop")
CALLS = (1, 10, 100, 300, 600)
DELTAS_MS = (20, 40, 100)
PEER_CALLS = (1, 10, 100)
EXTRAS = (VARIANTS.keys() | PEER_VARIANTS.keys()) - {LEAN_FLOOR}
"""Sides in other ways than the usual: with 100 calls, 20 ms."""
ASKING_S = 0.003
"""Between one call that asks for a reply and the next one."""
SATURATED = 0.9
"""CPU time by time, from which on a side is held to be behind."""


def measure(options: Options) -> Results:
    found: Results = {"samples": [], "versions": {}, "failed": {}}
    for loop in LOOPS:
        with traffic() as server:
            sides = Sides(server, loop, options, found)
            for calls in CALLS[:2] if options.quick else CALLS:
                sides.open(calls)
                for delta_ms in DELTAS_MS:
                    print(f"cpu: {loop}, {calls} calls, {delta_ms} ms", file=sys.stderr)
                    sides.talk(calls, delta_ms)
    return found


class Sides:
    """All of them by one event loop, a process each. What is found goes into `found`."""

    def __init__(self, server: Traffic, loop: str, options: Options, found: Results) -> None:
        self._server = server
        self._loop = loop
        self._quick = options.quick
        self._found = found
        self._opened: dict[str, int] = defaultdict(int)
        self._processes: dict[str, Process] = {}
        for name, side in options.sides.items():
            if name != LEAN_FLOOR or loop == "asyncio":
                with self._or_left_out(name):
                    self._processes[name] = server.side(side, loop)
                    found["versions"][name] = self._processes[name].ready["versions"]

    def open(self, calls: int) -> None:
        """Bring each to so many, and warm it up."""
        self._server.script(delta_ms=20, seconds=0.4)
        for name in [name for name in self._processes if takes_part(name, calls)]:
            with self._or_left_out(name):
                self._processes[name].do("open", calls=calls - self._opened[name])
                self._opened[name] = calls
                self._processes[name].do("talk", over_s=calls * ASKING_S)

    def talk(self, calls: int, delta_ms: int) -> None:
        """Sample all that take part, in turn, a few rounds."""
        over_s = calls * ASKING_S
        talk_s = 0.4 if self._quick else {1: 2.0, 10: 1.5}.get(calls, 1.2)
        slow_s = 1 if calls >= 100 else 0.3
        self._server.script(delta_ms=delta_ms, seconds=round(over_s + slow_s + talk_s + 0.2, 1))
        self._server.log()
        for number in range(3 if delta_ms == 20 else 1):
            here = [name for name in self._processes if takes_part(name, calls, delta_ms, number)]
            for name in here if number % 2 else here[::-1]:
                point = {"loop": self._loop, "calls": calls, "delta_ms": delta_ms, "round": number, "side": name}
                with self._or_left_out(name):
                    said = self._processes[name].do("talk", over_s=over_s, window_s=(0.1, 0.1 + talk_s))
                    late_ms = self._server.log()["late_ms"]
                    if all_talked(said, calls):
                        self._found["samples"].append(point | sample(said, delta_ms, late_ms))
                    else:
                        where = f"{name}, {self._loop}, {calls} calls, {delta_ms} ms,"
                        self._found["failed"][where] = "the first replies were over before the last ones had begun"

    @contextmanager
    def _or_left_out(self, name: str) -> Generator[None]:
        """From then on, if it fails and is a peer; we may not fail."""
        try:
            yield
        except RuntimeError as error:
            if name in (FLOOR, OURS):
                raise
            self._found["failed"][name] = str(error)
            self._processes.pop(name, None)


def takes_part(name: str, calls: int, delta_ms: int = 20, number: int = 0) -> bool:
    if name in PEERS:
        return calls in PEER_CALLS and number < 2
    return name not in EXTRAS or ((calls, delta_ms) == (100, 20) and number < 2)


def all_talked(said: dict[str, Any], calls: int) -> bool:
    """At the same time, while they were watched; or the side couldn't keep up with it."""
    watched = said["window"]
    if not watched["frames"]:
        return False
    return watched["frames"] > 0.8 * calls * watched["wall_s"] * 24_000 or busy(watched) > SATURATED


def busy(watched: dict[str, Any]) -> float:
    return watched["cpu_s"] / watched["wall_s"]


def sample(said: dict[str, Any], delta_ms: int, late_ms: float) -> dict[str, float]:
    watched = said["window"]
    us = watched["cpu_s"] / (watched["frames"] / 24 / delta_ms) * 1e6
    events = sum(heard["frames"] for heard in said["heard"]) / 24 / delta_ms
    return {
        "us": round(us, 2),
        "reply_us": round((said["cpu_s"] * 1e6 - us * events) / len(said["heard"])),
        "events": round(watched["frames"] / 24 / delta_ms),
        "busy": round(busy(watched), 3),
        "server_late_ms": round(late_ms, 2),
    }


class Point:
    """What all sides took in one situation."""

    def __init__(self, results: Results, loop: str, calls: int, delta_ms: int) -> None:
        self.rounds: dict[str, dict[int, float]] = defaultdict(dict)
        """CPU us per event by side and round."""
        self.replies: dict[str, list[float]] = defaultdict(list)
        """CPU us for what is no audio, for each reply."""
        self.saturated: set[str] = set()
        for sample in results["samples"]:
            if (sample["loop"], sample["calls"], sample["delta_ms"]) == (loop, calls, delta_ms):
                self.rounds[sample["side"]][sample["round"]] = sample["us"]
                self.replies[sample["side"]].append(sample["reply_us"])
                if sample["busy"] > SATURATED:
                    self.saturated.add(sample["side"])

    def us(self, side: str) -> str:
        if side not in self.rounds:
            return ""
        return f"{median(self.rounds[side].values()):.1f}" + (" (saturated)" if side in self.saturated else "")

    @property
    def sides(self) -> list[str]:
        """Beside each other what belongs together."""
        return sorted(self.rounds, key=lambda name: [(FLOOR, OURS, *PEERS).index(name.partition(",")[0]), name])

    def reply_us(self, side: str) -> float:
        return median(self.replies[side])

    def ratios(self, side: str, base: str) -> list[float]:
        """In each round that both were in."""
        theirs, ours = self.rounds.get(side, {}), self.rounds.get(base, {})
        return [theirs[number] / ours[number] for number in theirs if number in ours]

    def ratio(self, side: str, base: str) -> str:
        ratios = self.ratios(side, base)
        if not ratios:
            return ""
        return spread(ratios) + (" (saturated)" if side in self.saturated else "")


def table(results: Results) -> str:
    present = {sample["side"] for sample in results["samples"]}
    peers = [peer for peer in PEERS if peer in present]
    sections: list[str] = []
    for loop in LOOPS:
        floors = [FLOOR, LEAN_FLOOR] if loop == "asyncio" else [FLOOR]
        against = [(OURS, floor) for floor in floors] + [(peer, OURS) for peer in peers]
        head = [loop, f"{OURS}, us", *(f"{side} / {base}" for side, base in against)]
        rows: list[list[str]] = []
        for calls, delta_ms in product(CALLS, DELTAS_MS):
            point = Point(results, loop, calls, delta_ms)
            if OURS in point.rounds:
                where = f"{calls} call{'s' * (calls > 1)}, {delta_ms} ms"
                rows.append([where, point.us(OURS), *(point.ratio(*each) for each in against)])
        sections.append(markdown(head, rows))
        calls, point = detail(results, loop)
        rows = [[name, point.us(name), f"{point.reply_us(name):.0f}"] for name in point.sides]
        sections.append(markdown([f"{loop}, {calls} calls, 20 ms", "us an audio event", "us a reply besides"], rows))
    return "\n".join(sections)


def detail(results: Results, loop: str) -> tuple[int, Point]:
    """Where all sides were, in all their ways."""
    calls = max(calls for calls in PEER_CALLS if OURS in Point(results, loop, calls, 20).rounds)
    return calls, Point(results, loop, calls, 20)


def verdicts(results: Results) -> list[Verdict]:
    found: list[Verdict] = []
    for loop in LOOPS:
        floor = LEAN_FLOOR if loop == "asyncio" else FLOOR
        points = [Point(results, loop, *each) for each in product(CALLS, DELTAS_MS)]
        ratios = [median(point.ratios(OURS, floor)) for point in points if point.ratios(OURS, floor)]
        what = f"CPU per audio event, {loop}: ours to {floor}, over all points"
        found.append(Verdict(what, spread(ratios), median(ratios) <= 1.5, "at most 1.5"))
        if loop == "uvloop":
            what = "CPU per audio event, the fast extra (uvloop): ours to floor, over all points"
            found.append(Verdict(what, spread(ratios), median(ratios) < 1, "below 1"))
        calls, point = detail(results, loop)
        if ratios := point.ratios(OURS, DIRECT_FLOOR):
            what = f"CPU per audio event, {loop}, {calls} calls, 20 ms: ours to {DIRECT_FLOOR}"
            found.append(Verdict(what, spread(ratios), median(ratios) <= 1))
        for peer in PEERS:
            ratios = [median(point.ratios(peer, OURS)) for point in points if point.ratios(peer, OURS)]
            if ratios:
                what = f"CPU per audio event, {loop}: {peer} to ours, over all points"
                found.append(Verdict(what, spread(ratios, 1), median(ratios) >= 5, "at least 5"))
            if peer in point.replies:
                ours, theirs = point.reply_us(OURS), point.reply_us(peer)
                what = f"CPU for a reply besides its audio, {loop}, {calls} calls: ours to {peer}"
                found.append(Verdict(what, f"{ours:.0f} to {theirs:.0f} us", ours <= theirs))
    return found


if __name__ == "__main__":
    alone(measure, table)
