"""Where the peers live that we are measured against: each by its released package, in an environment of its own.

`make bench-environments` makes `build/bench/NAME` from `locks/NAME.txt`, which `make lock` writes from
`benchmarks/sides/NAME.in`; what runs in it is `benchmarks/sides/NAME.py`, with underscores. There is nothing of ours in
it, so that nobody pays for anybody else's imports.
"""

from pathlib import Path

ROOT = Path(__file__).parents[1]
PEERS = ("livekit-agents", "openai-agents", "pipecat-ai")
"""By the name of the distribution."""


def python(peer: str) -> Path:
    """The Python of its environment, which may not be there."""
    return ROOT / "build" / "bench" / peer / "bin" / "python"


def complete(peer: str) -> bool:
    """If all of its environment is there, not only the Python of one whose making was interrupted."""
    return python(peer).exists() and (ROOT / "build" / "bench" / peer / "stamp").exists()


def script(peer: str) -> Path:
    """Its side."""
    return ROOT / "benchmarks" / "sides" / f"{peer.replace('-', '_')}.py"


def lock(peer: str) -> Path:
    """All that is in its environment, with versions and hashes."""
    return ROOT / "locks" / f"{peer}.txt"


def wanted(peer: str) -> Path:
    """What an app of its kind installs; and uvloop, to be measured on both loops."""
    return ROOT / "benchmarks" / "sides" / f"{peer}.in"
