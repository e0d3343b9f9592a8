"""Who is measured: ours, the floor, the peers whose environment is there; each also in other ways than the usual."""

import sys
from typing import NamedTuple

from benchmarks import environments

FLOOR = "floor"
OURS = "rtactors"
PEERS = tuple(environments.PEERS)
VARIANTS = {
    "floor, 64 KiB reads": (FLOOR, "--read-bytes", "65536"),
    "floor, microphone open": (FLOOR, "--microphone"),
    "rtactors, captions read": (OURS, "--captions"),
    "rtactors, microphone open": (OURS, "--microphone"),
}
"""Of a side, and with which options."""


class Side(NamedTuple):
    """A side as it is started."""

    environment: environments.Environment
    options: tuple[str, ...] = ()
    """Its own."""

    def command(self, url: str, loop: str) -> list[str]:
        return self.environment.command(url, loop, *self.options)


def lineup() -> dict[str, Side]:
    """All sides by name; says which peer is left out. Which of them a measure takes is its own affair."""
    sides: dict[str, Side] = {}
    for name, environment in environments.ENVIRONMENTS.items():
        if environment.python.exists():
            sides[name] = Side(environment)
        else:
            print(f"{name} is left out: {environment.python} is not there, `make bench` makes it", file=sys.stderr)
    for name, (side, *options) in VARIANTS.items():
        sides[name] = Side(environments.ENVIRONMENTS[side], tuple(options))
    return sides
