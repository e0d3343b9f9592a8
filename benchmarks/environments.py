"""Where each side runs: the Python of its environment, its module, its lock.

The peers live in environments of their own, made by `make bench` from `locks/NAME.txt` (`benchmarks/sides/NAME.in` says
what for), in which there is nothing of ours: `benchmarks.sides.base` needs the standard library only.
"""

import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]


class Environment(NamedTuple):
    """Of one side."""

    python: Path
    module: str
    """In `benchmarks.sides`."""
    lock: Path
    packages: tuple[str, ...]
    """What an app installs for what is measured, as it would tell pip; nothing for the floor's libraries and us."""

    def command(self, *arguments: str) -> list[str]:
        """Runs its side from the root of the repository, which must be the working directory.

        Raises:
            SystemExit: Its environment is not there.

        """
        if not self.python.exists():
            raise SystemExit(f"{self.python} is not there: `make bench` makes the environments of the peers")
        return [str(self.python), "-m", f"benchmarks.sides.{self.module}", *arguments]


def _peer(name: str, module: str, *packages: str) -> Environment:
    python = ROOT / "build" / "bench" / name / "bin" / "python"
    return Environment(python, module, ROOT / "locks" / f"{name}.txt", packages)


def _ours(module: str) -> Environment:
    return Environment(Path(sys.executable), module, ROOT / "locks" / "runtime.txt", ())


PEERS = {
    "livekit-agents": _peer("livekit", "livekit_agents", "livekit-agents", "livekit-plugins-openai"),
    "openai-agents": _peer("openai-agents", "openai_agents", "openai-agents[realtime]"),
    "pipecat-ai": _peer("pipecat", "pipecat", "pipecat-ai[openai]"),
}
"""What we are measured against, by the name of its distribution."""

ENVIRONMENTS = {"floor": _ours("floor"), "rtactors": _ours("ours"), **PEERS}
"""All sides, in the order in which they are shown."""
