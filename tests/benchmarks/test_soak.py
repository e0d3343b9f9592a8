"""The soak of `make soak`, so short that it is a test: after each batch of sessions there is what was there before."""

import json
import os
import socket
import sys
from pathlib import Path
from subprocess import DEVNULL, run

import pytest
from anyio.lowlevel import checkpoint

from benchmarks import soak
from benchmarks.soak import EXACT, Sample, slope
from rtactors.channels import Inbox
from rtactors.testing.clock import real_backends

pytestmark = pytest.mark.sockets
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it counts in /proc")


@linux
@pytest.mark.parametrize("loop", [name for name, _ in real_backends()])
def test_what_sessions_took_comes_back(loop: str, tmp_path: Path) -> None:
    """To the very task, socket, file descriptor, thread and object; however they end, and whatever the network does.

    In a process of its own: what the tests before have left behind goes in its own time.
    """
    evidence = tmp_path / "soak.json"
    few = ["--sessions", "100", "--at-once", "25", "--batch", "50", "--warm-up", "1", "--loop"]
    run([sys.executable, soak.__file__, *few, loop, "--json", evidence], check=False, stdout=DEVNULL, timeout=50)
    told = json.loads(evidence.read_text(encoding="utf-8"))
    assert [sample["sessions"] for sample in told["samples"]] == [0, 50, 100]
    assert told["left_over"] == []
    assert {*told["lives"]} == {life.__name__ for life in soak.LIVES}
    assert told["chaos"]["connection"] > 10
    assert all(told["samples"][0][what] > 0 for what in EXACT)


@linux
@pytest.mark.anyio
async def test_what_does_not_come_back_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A leak of one socket and one object a session, which nobody can miss: neither can the soak."""
    monkeypatch.setattr(soak, "SETTLE_S", 0)  # no use in waiting
    kept: list[tuple[socket.socket, Inbox[str]]] = []

    async def leak(_places: soak.Places) -> None:
        await checkpoint()
        kept.append((socket.socket(), Inbox("kept", 1)))

    outcome = await soak.soak(
        0, os.getpid(), lives=(leak,), sessions=3, at_once=3, batch=3, warm_up=1, watch=lambda _sample: None
    )
    for opened, _ in kept:
        opened.close()
    before = outcome.samples[0]
    assert {*outcome.left_over} >= {
        f"after 3 sessions: {before.fds + 3} fds, {before.fds} before",
        f"after 3 sessions: {before.sockets + 3} sockets, {before.sockets} before",
        f"after 3 sessions: {before.ours + 3} ours, {before.ours} before",
    }


def test_growth_is_told_with_its_error() -> None:
    """Of the second half only; what goes up and down by chance has a large error, what leaks has a small one."""
    zeros = dict.fromkeys((*EXACT, "objects", "blocks", "server_rss"), 0)
    leak = [Sample(sessions=n * 100, rss=n**3 if n < 20 else n * 50_000, **zeros) for n in range(40)]
    noise = [Sample(sessions=n * 100, rss=n % 2 * 50_000, **zeros) for n in range(40)]
    assert slope(leak, "rss").per_session == pytest.approx(500)
    assert slope(leak, "rss").error == pytest.approx(0, abs=1e-6)
    assert abs(slope(noise, "rss").per_session) < slope(noise, "rss").error < 50
