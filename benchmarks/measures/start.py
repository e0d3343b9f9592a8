"""What an import takes and loads, what is installed for it, and when the first audio of a call is there.

Imports run in fresh processes of each side's own environment, in turn, so that whatever else the machine does hits all
of them. What is imported is what an app needs for its first call, asyncio included. Compiled modules are cached from
the second process on, as usual; the first is told apart. The first audio is timed from the start of the process that
asks for it, by the clock that all processes share, and once more from when the call is opened.

What is installed is what the side's distribution requires, all that in turn requires, and no more: neither pip nor what
we test with. Compiled modules aren't counted, since who installs may leave them out.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.environments import PEERS
from benchmarks.lineup import FLOOR, OURS
from benchmarks.measures.base import Options, Results, Verdict, alone, markdown, spread
from benchmarks.processes import traffic

TITLE = "Start"
MINUTES = 4

IMPORTS = {
    FLOOR: "import asyncio; from msgspec.json import Decoder; from websockets.asyncio.client import connect",
    OURS: "import asyncio; from rtactors import Session; from rtactors.providers import OpenAIRealtime; "
    "from rtactors.sinks import Speaker",
    "livekit-agents": "import asyncio; from livekit.agents import Agent, AgentSession; "
    "from livekit.plugins.openai.realtime import RealtimeModel",
    "openai-agents": "import asyncio; from agents.realtime import RealtimeAgent, RealtimeRunner",
    "pipecat-ai": "import asyncio; from pipecat.pipeline.pipeline import Pipeline; "
    "from pipecat.pipeline.worker import PipelineWorker; from pipecat.workers.runner import WorkerRunner; "
    "from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService",
}
"""What an app begins with."""
ROOTS = {
    FLOOR: ["websockets", "msgspec"],
    OURS: ["rtactors"],
    "livekit-agents": ["livekit-agents", "livekit-plugins-openai"],
    "openai-agents": ["openai-agents[realtime]"],
    "pipecat-ai": ["pipecat-ai[openai]"],
}
"""What it installs."""

IMPORT = """
import sys, time
cpu, wall = time.process_time(), time.perf_counter()
{imports}
cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
import json
sys.stdout.write(chr(10) + json.dumps(dict(cpu_s=cpu, wall_s=wall, modules=len(sys.modules))))
"""

INSTALLED = """
import json, sys
from importlib.metadata import distribution
from pathlib import Path
from pip._vendor.packaging.requirements import Requirement

def own(found):
    if any(str(file).endswith(".pth") for file in found.files or ()):  # editable: ours
        root = Path(json.loads(found.read_text("direct_url.json"))["url"].removeprefix("file://"))
        return [path for name in ("rtactors", "statecharts") for path in (root / name).rglob("*") if path.is_file()]
    return [found.locate_file(file) for file in found.files or ()]

sizes, todo = {}, [Requirement(root) for root in json.loads(sys.argv[1])]
done = set()
while todo:
    one = todo.pop()
    name = one.name.lower().replace("_", "-")
    for extra in ("", *one.extras):
        if (name, extra) in done:
            continue
        done.add((name, extra))
        found = distribution(one.name)
        files = [path for path in own(found) if ".pyc" not in path.name and path.is_file()]
        sizes[name] = sum(path.stat().st_size for path in files)
        needs = [Requirement(each) for each in found.requires or ()]
        todo += [need for need in needs if need.marker is None or need.marker.evaluate({"extra": extra})]
print(json.dumps(sizes))
"""


def measure(options: Options) -> Results:
    sides = {name: options.sides[name] for name in (FLOOR, OURS, *PEERS) if name in options.sides}
    samples: list[dict[str, Any]] = []
    installed: dict[str, dict[str, int]] = {}
    versions: dict[str, Any] = {}
    with TemporaryDirectory() as compiled, traffic() as server:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = compiled
        for number in range(3 if options.quick else 12):
            print(f"start: imports, round {number}", file=sys.stderr)
            for name in sides if number % 2 else reversed(sides):
                said = _output([sides[name].python, "-c", IMPORT.format(imports=IMPORTS[name])], environment)
                samples.append({"side": name, "what": "import", "round": number, **said})
        for name, side in sides.items():
            installed[name] = _output([side.python, "-c", INSTALLED, json.dumps(ROOTS[name])], environment)
        for number in range(2 if options.quick else 6):
            print(f"start: first audio, round {number}", file=sys.stderr)
            for name in sides if number % 2 else reversed(sides):
                server.script(delta_ms=20, seconds=0.2)
                began = time.monotonic_ns()
                process = server.side(sides[name], environment=environment)
                opened = time.monotonic_ns()
                process.do("open", calls=1)
                first = process.do("talk")["heard"][0]["first_ns"]
                versions[name] = process.ready["versions"]
                process.end()
                said = {"since_start_s": (first - began) / 1e9, "since_open_s": (first - opened) / 1e9}
                samples.append({"side": name, "what": "first audio", "round": number, **said})
    return {"samples": samples, "installed": installed, "versions": versions}


def _output(command: list[Any], environment: dict[str, str]) -> dict[str, Any]:
    """The last line that a program of a side's environment prints, which is JSON."""
    done = subprocess.run(command, env=environment, cwd=Path.home(), check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


# --------------------------------------------------------------------------------------------------------- the report


class Found:
    """What is known of one side; the first round, which found nothing compiled, is apart."""

    def __init__(self, results: Results, side: str) -> None:
        samples = [each for each in results["samples"] if each["side"] == side]
        self.imports = {each["round"]: each for each in samples if each["what"] == "import"}
        self.first = {each["round"]: each for each in samples if each["what"] == "first audio"}
        self.installed: dict[str, int] = results["installed"][side]
        self.at_first = self.imports.pop(0)

    def of_imports(self, what: str) -> list[float]:
        return [each[what] for each in self.imports.values()]

    def of_first(self, what: str) -> list[float]:
        return [each[what] for number, each in self.first.items() if number]


def table(results: Results) -> str:
    found = {side: Found(results, side) for side in results["installed"]}
    ours = found.get(OURS)
    imports = [
        [
            name,
            spread([1000 * s for s in side.of_imports("cpu_s")], 0),
            spread([1000 * s for s in side.of_imports("wall_s")], 0),
            f"{1000 * side.at_first['cpu_s']:.0f}",
            f"{side.at_first['modules']}",
            spread(ratios(side, ours)) if ours and side is not ours else "",
        ]
        for name, side in found.items()
    ]
    installed = [
        [
            name,
            f"{len(side.installed)}",
            f"{sum(side.installed.values()) / 1e6:.1f}",
            f"{side.installed[ROOTS[name][0].partition('[')[0]] / 1e6:.2f}" if name != FLOOR else "",
        ]
        for name, side in found.items()
    ]
    first = [
        [name, *(spread([1000 * s for s in side.of_first(what)], 0) for what in ("since_start_s", "since_open_s"))]
        for name, side in found.items()
    ]
    return "\n".join(
        [
            markdown(
                ["import", "CPU, ms", "time, ms", "CPU at first, ms", "modules loaded", f"CPU to that of {OURS}"],
                imports,
            ),
            markdown(["first audio", "after the process began, ms", "after the call was opened, ms"], first),
            markdown(["installed", "packages", "MB of all", "MB of its own"], installed),
        ]
    )


def ratios(side: Found, ours: Found) -> list[float]:
    """CPU of an import, round by round."""
    return [each["cpu_s"] / ours.imports[number]["cpu_s"] for number, each in side.imports.items()]


def verdicts(results: Results) -> list[Verdict]:
    found = {side: Found(results, side) for side in results["installed"]}
    if OURS not in found:
        return []
    ours = found.pop(OURS)
    said: list[Verdict] = []
    for name, side in found.items():
        wanted = "" if name == FLOOR else "at least 2"
        relative = ratios(side, ours)
        said.append(
            Verdict(
                f"CPU of an import: {name}'s to ours",
                spread(relative),
                median(relative) >= (2 if wanted else 1),
                wanted,
            )
        )
        relative = median(side.of_first("since_start_s")) / median(ours.of_first("since_start_s"))
        what = f"From the start of a process to the first audio: {name}'s to ours"
        said.append(Verdict(what, f"{relative:.2f}", relative >= 1))
        relative = sum(side.installed.values()) / sum(ours.installed.values())
        said.append(Verdict(f"Installed bytes: {name}'s to ours", f"{relative:.2f}", relative >= 1))
    return said


if __name__ == "__main__":
    alone(measure, table)
