"""Memory of a process that has imported a side, of each call that waits, of each that talks, of what came and went.

What a call takes is a slope: 100 calls are opened, 20 at a time, and after each 20 the process is looked at, so that
what it takes once and for all falls out. Each of these looks comes after a full collection of garbage; how long another
one takes, with nothing to find, is what a collection costs while they talk. What is left of calls that are gone is
looked at after 1,000 of ours and of the floor's, and after 300 of a peer's.

`resident` is what the process has in memory, `unique` what no other one shares; `blocks` are pieces that Python has
allocated, `objects` those of them that the garbage collector looks at.
"""

import math
import sys
from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean, linear_regression
from typing import Any, NamedTuple

from benchmarks.environments import PEERS
from benchmarks.lineup import FLOOR, OURS
from benchmarks.measures.base import Options, Results, Verdict, alone, markdown, spread
from benchmarks.processes import Side, traffic

TITLE = "Memory"
MINUTES = 10

STEPS = (20, 40, 60, 80, 100)
"""Calls."""
GONE = {FLOOR: 1000, OURS: 1000}
GONE_OF_PEERS = 300
"""Calls that come and go; the peers take longer over them."""
BUFFERED = 10
"""Calls that receive a minute of audio at once, of which the user hears little."""
JOBS = 4
"""Processes that livekit-agents makes for its jobs, by the only way to deploy it."""
MINUTE = 60 * 48_000
"""Bytes of PCM16 at 24 kHz."""
KINDS = ("rss", "unique", "blocks", "objects")
KIB = 1024


def measure(options: Options) -> Results:
    samples: list[dict[str, Any]] = []
    versions: dict[str, Any] = {}
    failed: dict[str, str] = {}
    for name in (FLOOR, OURS, *PEERS):
        if side := options.sides.get(name):
            print(f"memory: {name}", file=sys.stderr)
            try:
                said = _measure(side, GONE.get(name, GONE_OF_PEERS), quick=options.quick)
            except RuntimeError as error:
                if name in (FLOOR, OURS):
                    raise
                failed[name] = str(error)
                continue
            versions[name] = said.pop("versions")
            samples += [{"side": name, "when": when, **each} for when, looks in said.items() for each in looks]
    return {"samples": samples, "versions": versions, "failed": failed}


def _measure(side: Side, gone: int, *, quick: bool) -> dict[str, Any]:
    steps = STEPS[:2] if quick else STEPS
    with traffic() as server:
        process = server.side(side)
        said = {"versions": process.ready["versions"], "imported": [process.ready]}
        server.script(delta_ms=100, seconds=0.5)
        process.do("open", calls=1)
        process.do("talk")
        said["one call"] = [process.do("memory")]
        looks = said["waiting"] = []
        for calls in steps:
            opened = process.do("open", calls=calls - (looks[-1]["calls"] if looks else 1))
            looks.append(opened | process.do("memory"))
        process.do("close")

        looks = said["gone"] = [{"calls": 0} | process.do("memory")]
        for number in range(3 if quick else gone // 20):
            process.do("open", calls=20)
            process.do("talk")
            process.do("close")
            looks.append({"calls": 20 * (number + 1)} | process.do("memory"))

    with traffic() as server:
        process = server.side(side)
        server.script(delta_ms=100, seconds=2)
        process.do("open", calls=1)
        process.do("talk")
        looks = said["talking"] = []
        for calls in steps:
            process.do("open", calls=calls - (looks[-1]["calls"] if looks else 1))
            looks.append({"calls": calls} | process.do("talk", look_s=1)["memory"])
        process.do("close")

    with traffic() as server:
        process = server.side(side)
        process.do("open", calls=2 if quick else BUFFERED)
        server.script(delta_ms=100, seconds=1, interrupt_ms=[500, 500])
        process.do("talk")
        server.script(delta_ms=100, seconds=60, pace=0, interrupt_ms=[6000, 6000])
        waiting = process.do("memory")
        talking = process.do("talk", look_s=5)
        if max(each["last_ns"] - each["first_ns"] for each in talking["heard"]) > 5e9:
            print("memory: not all of the minute had come when it was looked at", file=sys.stderr)
        calls = len(talking["heard"])
        if side.script == "livekit_agents":
            server.script(delta_ms=100, seconds=0.5)
            said["a job"] = server.jobs(JOBS)
        said["a minute"] = [{kind: (talking["memory"][kind] - waiting[kind]) / calls for kind in KINDS}]
    return said


# --------------------------------------------------------------------------------------------------------- the report


class Slope(NamedTuple):
    """How much of something each call takes, and its standard error."""

    of: float
    error: float

    def kib(self, digits: int = 0) -> str:
        return f"{self.of / KIB:.{digits}f} ± {self.error / KIB:.{digits}f}"


def slope(looks: Sequence[dict[str, Any]], what: str) -> Slope:
    """By linear regression."""
    x, y = [float(each["calls"]) for each in looks], [float(each[what]) for each in looks]
    line = linear_regression(x, y)
    missed = sum((one - line.slope * at - line.intercept) ** 2 for at, one in zip(x, y, strict=True))
    middle = fmean(x)
    return Slope(line.slope, math.sqrt(missed / max(len(x) - 2, 1) / sum((at - middle) ** 2 for at in x)))


class Found:
    """What is known of one side."""

    def __init__(self, results: Results, side: str) -> None:
        self.looks: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for sample in results["samples"]:
            if sample["side"] == side:
                self.looks[sample["when"]].append(sample)

    def slope(self, when: str, what: str) -> Slope:
        looks = self.looks[when]
        return slope(looks[len(looks) // 2 :] if when == "gone" else looks, what)  # at first it still warms up

    def once(self, when: str, what: str) -> float:
        return self.looks[when][0][what]


def table(results: Results) -> str:
    sides = list(dict.fromkeys(sample["side"] for sample in results["samples"]))
    found = {side: Found(results, side) for side in sides}
    processes = [
        [side, *(f"{found[side].once(when, 'unique') / 2**20:.1f}" for when in ("imported", "one call"))]
        for side in sides
    ]
    calls = [
        [
            side,
            *(found[side].slope(when, "unique").kib() for when in ("waiting", "talking")),
            *(f"{found[side].slope('talking', what).of:.0f}" for what in ("blocks", "objects")),
            f"{found[side].looks['talking'][-1]['collect_ms']:.0f}",
        ]
        for side in sides
    ]
    rest = [
        [
            side,
            f"{found[side].looks['gone'][-1]['calls']}",
            found[side].slope("gone", "rss").kib(2),
            f"{found[side].slope('gone', 'blocks').of:.1f} ± {found[side].slope('gone', 'blocks').error:.1f}",
            f"{found[side].once('a minute', 'unique') / MINUTE:.2f}",
        ]
        for side in sides
    ]
    jobs = [
        f"Each process that {side} makes for a job, after one call has talked: "
        f"{spread([each['unique'] / 2**20 for each in found[side].looks['a job']], 1)} MiB of its own, "
        f"{spread([each['rss'] / 2**20 for each in found[side].looks['a job']], 1)} MiB resident.\n"
        for side in sides
        if found[side].looks["a job"]
    ]
    return "\n".join(
        [
            markdown(["MiB of a process", "that has imported it", "with one call that has talked"], processes),
            *jobs,
            markdown(
                [
                    "each call more takes",
                    "waiting, KiB",
                    "talking, KiB",
                    "blocks",
                    "objects",
                    f"a full collection with {STEPS[-1]} of them, ms",
                ],
                calls,
            ),
            markdown(
                [
                    "left behind",
                    "calls that went",
                    "KiB a call",
                    "blocks a call",
                    "of a minute that waits, to its PCM",
                ],
                rest,
            ),
        ]
    )


def verdicts(results: Results) -> list[Verdict]:
    found = {sample["side"]: Found(results, sample["side"]) for sample in results["samples"]}
    if OURS not in found:
        return []
    ours = found[OURS].slope("talking", "unique").of
    said: list[Verdict] = []
    for peer in PEERS:
        if peer in found:
            alone = found[peer].looks["a job"] or found[peer].looks["one call"]
            ratio = fmean(each["unique"] for each in alone) / ours
            what = f"Memory: a process of {peer}'s with one call, to a talking session of ours"
            said.append(Verdict(what, f"{ratio:.0f}", ratio >= 10, "at least 10"))
            ratio = found[peer].slope("talking", "unique").of / ours
            said.append(Verdict(f"Memory of a talking call: {peer}'s to ours", f"{ratio:.1f}", ratio >= 1))
    waiting = found[OURS].slope("waiting", "unique").of
    for other in (FLOOR, *PEERS):
        if other in found:
            ratio = found[other].slope("waiting", "unique").of / waiting
            said.append(Verdict(f"Memory of a waiting call: {other}'s to ours", f"{ratio:.1f}", ratio >= 1))
    if FLOOR in found:
        ratio = ours / found[FLOOR].slope("talking", "unique").of
        said.append(Verdict("Memory of a talking call: ours to the floor's", f"{ratio:.1f}", ratio <= 1))
    left = found[OURS].slope("gone", "rss")
    what = "Memory left behind by a session, KiB"
    said.append(Verdict(what, left.kib(2), left.of - 2 * left.error <= 200, "at most 0.2"))
    return said


if __name__ == "__main__":
    alone(measure, table)
