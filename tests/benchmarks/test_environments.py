"""Locks, environments and sides of the peers fit together. (That locks are whole is seen to in `test_tree.py`.)"""

import ast
import re
import sys
from pathlib import Path

import pytest

from benchmarks import environments

SIDES = environments.ROOT / "benchmarks" / "sides"


def names(requirements: Path) -> set[str]:
    """Of the distributions, in lower case."""
    found = re.findall(r"^([\w.-]+)", requirements.read_text(encoding="utf-8"), re.MULTILINE)
    return {name.lower() for name in found}


def imported(script: Path) -> set[str]:
    """Names of the packages."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module
            found.add(node.module)
    return {name.partition(".")[0] for name in found}


def test_make_makes_them() -> None:
    makefile = (environments.ROOT / "Makefile").read_text(encoding="utf-8")
    (peers,) = re.findall(r"^PEERS := (.*)$", makefile, re.MULTILINE)
    assert tuple(peers.split()) == environments.PEERS
    compiled = re.findall(r"^\t\$\(call compile,([\w-]+),benchmarks/sides/\1\.in\)$", makefile, re.MULTILINE)
    assert tuple(compiled) == environments.PEERS


@pytest.mark.parametrize("peer", environments.PEERS)
def test_lock_has_what_is_wanted_and_nothing_of_ours(peer: str) -> None:
    locked = names(environments.lock(peer))
    assert peer in names(environments.wanted(peer)) <= locked
    assert "rtactors" not in locked


@pytest.mark.parametrize("script", sorted(SIDES.glob("*.py")), ids=lambda script: script.stem)
def test_sides_of_peers_need_nothing_of_ours(script: Path) -> None:
    """They run by the Python of their environment, in which there are neither we nor what we need."""
    if script.stem in {"ours", "floor"}:
        return
    ours = {path.stem for path in SIDES.glob("*.py")}
    theirs = {"agents", "livekit", "loguru", "pipecat"} if script.stem != "base" else {"uvloop"}
    assert imported(script) <= ours | theirs | sys.stdlib_module_names


def test_no_side_hides_a_package() -> None:
    """A script's folder is the first place where Python looks."""
    assert not {path.stem for path in SIDES.glob("*.py")} & {"agents", "livekit", "loguru", "openai", "pipecat"}


def test_every_peer_has_a_side() -> None:
    assert all(environments.script(peer).is_file() for peer in environments.PEERS)
