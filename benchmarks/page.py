"""The page: what all measures found, as Markdown, from what they keep and nothing else.

A measure that was not run now is shown as it was kept, with its own day and machine.
"""

import inspect
import os
import platform
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from types import ModuleType

import msgspec

from benchmarks.environments import PEERS
from benchmarks.measures.base import Results, Verdict, markdown

INTRODUCTION = """\
# Benchmarks

rtactors beside its peers, each from its released package in an environment of its own and used as its own docs say, and
beside the floor: a client library, msgspec and a direct call, no framework. All of them talk with the same server, on
the same machine, in one run. `make bench` writes this page; how it is done, and where it proves less than it seems, is
in [benchmarks](../benchmarks/README.md), what was changed for these numbers in
[evidence](../benchmarks/evidence/).

Ratios within a run mean something elsewhere, microseconds don't. Of what was measured several times there is the
median, and in brackets the lowest and the highest. On this page *ours* is rtactors.
"""


class Kept(msgspec.Struct):
    """One measure's results, and where they are from."""

    day: str
    machine: str
    load: float
    """Processes that ran or waited to run on it just before."""
    minutes: float
    results: Results

    def text(self) -> str:
        """As JSON, with a line for what holds nothing but numbers and words."""
        formatted = msgspec.json.format(msgspec.json.encode(self), indent=1).decode()
        return re.sub(r"[{\[][^{}\[\]]*[}\]]", lambda found: " ".join(found[0].split()), formatted) + "\n"


def keep(results: Results, load: float, minutes: float) -> Kept:
    return Kept(datetime.now(UTC).date().isoformat(), machine(), round(load, 2), round(minutes, 1), results)


def machine() -> str:
    cpus = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = next(
        (line.partition(":")[2].strip() for line in cpus.splitlines() if line.startswith("model name")),
        platform.machine(),
    )
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{len(os.sched_getaffinity(0))} cores of {model}, {platform.system()} {platform.release()}, {python}"


def page(measures: Mapping[str, ModuleType], kept: Mapping[str, Kept]) -> str:
    """Of the measures that there are results of, in their order."""
    found = {name: kept[name] for name in measures if name in kept}
    verdicts: list[Verdict] = list(chain(*(measures[name].verdicts(found[name].results) for name in found)))
    parts = [
        INTRODUCTION,
        "## What was to be reached\n",
        wanted(verdicts),
        "## Where we lose\n",
        lost(verdicts),
        *(section(measures[name], found[name]) for name in found),
        "## Machines and versions\n",
        origins(measures, found),
        "## Again\n",
        again(found),
    ]
    return "\n".join(parts)


def wanted(verdicts: list[Verdict]) -> str:
    rows = [[each.what, each.wanted, each.got, "yes" if each.won else "**no**"] for each in verdicts if each.wanted]
    return markdown(["", "wanted", "measured", "reached"], rows)


def lost(verdicts: list[Verdict]) -> str:
    """All that the measures say against us."""
    said = [
        f"- {each.what}: {each.got}" + (f" (to be reached: {each.wanted})" if each.wanted else "")
        for each in verdicts
        if not each.won
    ]
    if not said:
        return "In nothing that is measured here.\n" if verdicts else "Nothing here says so: it was not measured.\n"
    return "\n".join(said) + "\n"


def section(measure: ModuleType, kept: Kept) -> str:
    """How it is measured is said by the measure's own docstring."""
    failed = [f"{name} is missing where it failed: {why}\n" for name, why in kept.results.get("failed", {}).items()]
    method = inspect.getdoc(measure) or ""
    return "\n".join([f"## {measure.TITLE}\n", f"{method}\n", measure.table(kept.results), *failed])


def origins(measures: Mapping[str, ModuleType], kept: Mapping[str, Kept]) -> str:
    rows = [
        [measures[name].TITLE, each.day, each.machine, f"{each.load:.1f}", f"{each.minutes:.0f}"]
        for name, each in kept.items()
    ]
    text = markdown(["", "day", "machine", "load before", "minutes"], rows)
    versions: dict[str, set[str]] = {}
    for each in kept.values():
        for packages in each.results.get("versions", {}).values():
            for package, number in packages.items():
                versions.setdefault(package, set()).add(number)
    said = ", ".join(f"{package} {' and '.join(sorted(numbers))}" for package, numbers in sorted(versions.items()))
    missing = [peer for peer in PEERS if peer not in versions]
    text += f"\n{said}.\n" if said else ""
    return text + (f"\nNot in any of these: {', '.join(missing)} (make bench-environments).\n" if missing else "")


def again(kept: Mapping[str, Kept]) -> str:
    minutes = sum(each.minutes for each in kept.values())
    return (
        f"`make bench` takes {minutes:.0f} minutes, on a machine with two cores at least and nothing else to do.\n"
        '`make bench ARGS="--only cpu,barge_in"` runs these two and takes the rest from what is kept;\n'
        "`make bench ARGS=--quick` sees in a few minutes whether all of it works, and keeps nothing.\n"
    )
