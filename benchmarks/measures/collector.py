"""What the garbage collector does to many calls in one process, and what an app can do about it (docs/many-calls.md).

A full collection goes through all that there is, and nothing else runs meanwhile: with hundreds of calls it is by far
the longest of what can come in the way of a piece of audio. The calls are opened, their replies asked for one after the
other, and then watched while all of them talk: which collections came, how long they took, and how late a tick was.
"""

import sys
from typing import Any

from benchmarks.lineup import OURS
from benchmarks.measures.base import Options, Results, Verdict, alone, markdown, percentile
from benchmarks.processes import traffic

TITLE = "Garbage collection"
MINUTES = 2

CALLS = 300
SPREAD_S = 2
WATCH_S = 8
THRESHOLDS = [10_000, 20, 20]
AS_IT_IS, AT_START, RARER, WITH_CALLS = (
    "as it is",
    "gc.freeze() before the calls",
    "gc.freeze() before the calls, and thresholds",
    "gc.freeze() once they are open",
)


def measure(options: Options) -> Results:
    samples: list[dict[str, Any]] = []
    versions: dict[str, Any] = {}
    for how in (AS_IT_IS, AT_START, RARER, WITH_CALLS):
        print(f"collector: {how}", file=sys.stderr)
        with traffic() as server:
            process = server.side(options.sides[OURS], "uvloop")
            versions = process.ready["versions"]
            server.script(delta_ms=20, seconds=0.2)
            process.do("open", calls=1)
            process.do("talk")
            if how in {AT_START, RARER}:
                process.do("freeze")
            if how == RARER:
                process.do("thresholds", are=THRESHOLDS)
            calls, watch_s = (20, 1) if options.quick else (CALLS, WATCH_S)
            process.do("open", calls=calls - 1)
            if how == WITH_CALLS:
                process.do("freeze")
            server.script(delta_ms=20, seconds=SPREAD_S + watch_s + 1)
            window_s = [0.3, 0.3 + watch_s]
            window = process.do("talk", over_s=SPREAD_S, window_s=window_s, ticks=True)["window"]
            samples.append({"how": how, "calls": calls, **window, "memory": process.do("memory")})
    return {"samples": samples, "versions": {OURS: versions}}


def table(results: Results) -> str:
    rows: list[list[str]] = []
    for sample in results["samples"]:
        by = {generation: [ms for each, ms in sample["collections"] if each == generation] for generation in range(3)}
        everything = sum(sum(each) for each in by.values())
        rows.append(
            [
                sample["how"],
                *(f"{len(by[generation])} of {max(by[generation], default=0):.1f}" for generation in range(3)),
                f"{everything / sample['wall_s'] / 10:.1f}",
                f"{percentile(sample['late_ms'], 99):.1f}",
                f"{max(sample['late_ms']):.1f}",
                f"{sample['memory']['collect_ms']:.0f}",
            ]
        )
    calls = results["samples"][0]["calls"]
    head = [
        f"{calls} calls that talk, for {results['samples'][0]['wall_s']:.0f} s, on uvloop",
        "young, of at most ms",
        "middle",
        "full",
        "% of the time",
        "a tick is late, p99, ms",
        "at most",
        "a full one would take, ms",
    ]
    return markdown(head, rows)


def verdicts(results: Results) -> list[Verdict]:  # noqa: ARG001 - nobody to be compared with
    return []


if __name__ == "__main__":
    alone(measure, table)
