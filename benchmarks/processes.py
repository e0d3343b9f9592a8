"""The processes of a benchmark: one server, and the sides that hold calls with it; told what to do in lines of JSON."""

import json
import os
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from select import select
from typing import Any, NamedTuple

from benchmarks import environments

HERE = Path(__file__).parent
ANSWER_S = 300
"""A process that hasn't answered by then never will."""


class Side(NamedTuple):
    """A side as it is started; its options are its own."""

    script: str
    """In `benchmarks/sides`, without its ending."""
    options: tuple[str, ...] = ()
    python: Path = Path(sys.executable)
    """That of its own environment."""


class Process:
    """A process that answers each line with one line."""

    def __init__(
        self, command: Sequence[str | Path], *, core: int | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        self._name = " ".join(Path(part).name for part in command[1:])
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, {core}),  # noqa: PLW1509 - no threads
        )
        self.ready: Any = self._answer()
        """What it said first."""

    def do(self, what: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever JSON can say
        """Raises RuntimeError if it ends instead of answering (it has told why by then), or is silent for too long."""
        assert self._process.stdin
        with suppress(BrokenPipeError):  # it has ended, which is what is read then
            self._process.stdin.write(json.dumps({"do": what, **arguments}) + "\n")
            self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        if not select([self._process.stdout], [], [], ANSWER_S)[0]:
            raise RuntimeError(f"{self._name} has not answered for {ANSWER_S} s")
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._name} ended with {self._process.wait()} instead of answering")
        return json.loads(line)

    def end(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:  # some frameworks wait for somebody to leave who has left
            self._process.kill()
            self._process.wait()


class Traffic:
    """The server, and sides that are connected to it."""

    def __init__(self, stack: ExitStack, core: int | None) -> None:
        self._stack = stack
        self._server = self._start([sys.executable, HERE / "traffic.py"], core)
        self.url = f"ws://127.0.0.1:{self._server.ready['port']}/v1"

    def side(
        self,
        side: Side,
        loop: str = "asyncio",
        *,
        core: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Process:
        """Begin one: on any core and in our own environment, unless another is wanted."""
        script = HERE / "sides" / f"{side.script}.py"
        return self._start([side.python, script, self.url, loop, *side.options], core, environment)

    def jobs(self, count: int) -> list[dict[str, float]]:
        """What each process takes that livekit-agents makes for a job, one call in each: `base.memory`."""
        script = HERE / "sides" / "livekit_jobs.py"
        return self._start([environments.python("livekit-agents"), script, self.url, str(count)]).ready

    def script(self, **script: Any) -> None:  # noqa: ANN401 - as in `traffic.Script`
        self._server.do("script", **script)

    def log(self) -> dict[str, Any]:
        return self._server.do("log")

    def _start(
        self, command: Sequence[str | Path], core: int | None = None, environment: Mapping[str, str] | None = None
    ) -> Process:
        process = Process(command, core=core, environment=environment)
        self._stack.callback(process.end)
        return process


@contextmanager
def traffic(*, core: int | None = None) -> Generator[Traffic]:
    """A server, on a core of its own if so wanted; ends with all sides that were started beside it."""
    with ExitStack() as stack:
        yield Traffic(stack, core)
