"""Who is measured: ours, the floor, and the peers whose environment is there."""

import sys

from benchmarks import environments
from benchmarks.environments import PEERS
from benchmarks.processes import Side

FLOOR = "floor"
OURS = "rtactors"
LEAN_FLOOR = "floor, 64 KiB reads"
"""asyncio reads into a new buffer of 256 KiB each time if it isn't told otherwise. Our transport does that, so this is
the floor with which it can be compared; uvloop has no such setting."""
DIRECT_FLOOR = "floor, our transport"
"""websockets' own client wakes a task for each message; our transport, on the same library, doesn't."""
LIVEKIT_UNCAPTIONED = "livekit-agents, no captions"
"""Its captions listen to all audio as it comes, which is 8 ms of CPU for each second."""
VARIANTS = {
    LEAN_FLOOR: Side("floor", ("--read-bytes", "65536")),
    DIRECT_FLOOR: Side("floor", ("--our-transport",)),
    "floor, microphone open": Side("floor", ("--microphone",)),
    "rtactors, no positions": Side("ours", ("--no-progress",)),
    "rtactors, captions read": Side("ours", ("--captions",)),
    "rtactors, microphone open": Side("ours", ("--microphone",)),
}
"""Of the floor and of ours; which of them a measure takes is its own affair."""
PEER_VARIANTS = {LIVEKIT_UNCAPTIONED: ("livekit-agents", "--no-captions")}
"""The same of the peers, in whose environment they run."""


def lineup() -> dict[str, Side]:
    """All sides by name; says which peer is left out."""
    sides = {FLOOR: Side("floor"), OURS: Side("ours"), **VARIANTS}
    for name in PEERS:
        python = environments.python(name)
        if environments.complete(name):
            sides[name] = Side(environments.script(name).stem, python=python)
            for variant, (peer, *options) in PEER_VARIANTS.items():
                if peer == name:
                    sides[variant] = sides[name]._replace(options=tuple(options))
        else:
            where = python.parents[1]
            print(f"{name} is left out: {where} is missing or incomplete (make bench-environments)", file=sys.stderr)
    return sides
