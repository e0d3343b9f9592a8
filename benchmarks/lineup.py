"""Who is measured: ours, the floor, and the peers whose environment is there."""

import sys
from pathlib import Path

from benchmarks.processes import Side

FLOOR = "floor"
OURS = "rtactors"
PEERS = {"livekit-agents": "livekit_agents", "openai-agents": "openai_agents", "pipecat-ai": "pipecat"}
"""Their scripts, which are the names of their environments as well."""
VARIANTS = {
    "floor, 64 KiB reads": Side("floor", ("--read-bytes", "65536")),
    "floor, microphone open": Side("floor", ("--microphone",)),
    "rtactors, captions read": Side("ours", ("--captions",)),
    "rtactors, microphone open": Side("ours", ("--microphone",)),
}
"""Of the floor and of ours; which of them a measure takes is its own affair."""
ENVIRONMENTS = Path(__file__).parents[1] / "build" / "bench"


def lineup() -> dict[str, Side]:
    """All sides by name; says which peer is left out."""
    sides = {FLOOR: Side("floor"), OURS: Side("ours"), **VARIANTS}
    for name, script in PEERS.items():
        python = ENVIRONMENTS / script / "bin" / "python"
        if python.exists():
            sides[name] = Side(script, python=python)
        else:
            print(f"{name} is left out: there is no {python.parents[1]} (make bench-environments)", file=sys.stderr)
    return sides
