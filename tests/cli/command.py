"""Runs the command `rtactors` as people do: as a process of its own, in which every warning is an error."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

COMMAND = [sys.executable, "-W", "error", "-m", "rtactors.cli"]
LONGEST_S = 50


class Result(NamedTuple):
    code: int
    out: str
    err: str


def rtactors(*arguments: str | Path, stdin: str = "", **environment: str) -> Result:
    """Run it to its end."""
    with running(*arguments, **environment) as process:
        return process.end(stdin)


class Running:
    """One that runs."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._out = b""

    def type(self, text: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(text.encode())
        self._process.stdin.flush()

    def until(self, text: str) -> str:
        """Wait for it to print something; all that it has printed so far."""
        assert self._process.stdout
        while text.encode() not in self._out:
            piece = os.read(self._process.stdout.fileno(), 4096)
            assert piece, f"it ended without {text!r}:\n{self._out.decode()}"
            self._out += piece
        return self._out.decode()

    def interrupt(self) -> None:
        """Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def terminate(self) -> None:
        """What service managers end a process with."""
        self._process.terminate()

    def stop_reading(self) -> None:
        """Close its stdout, as `head` does when it has had enough."""
        assert self._process.stdout
        self._process.stdout.close()

    def end(self, stdin: str = "") -> Result:
        """Close its stdin and wait."""
        out, err = self._process.communicate(stdin.encode(), timeout=LONGEST_S)
        return Result(self._process.returncode, (self._out + (out or b"")).decode(), err.decode())


@contextmanager
def running(*arguments: str | Path, **environment: str) -> Generator[Running]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")} | environment
    pipe = subprocess.PIPE
    with subprocess.Popen([*COMMAND, *map(str, arguments)], stdin=pipe, stdout=pipe, stderr=pipe, env=env) as process:
        try:
            yield Running(process)
        finally:
            process.kill()


def without(*modules: str) -> list[str]:
    """The command in a Python that lacks some packages."""
    blocked = f"sys.modules.update(dict.fromkeys({modules!r}))"
    return [sys.executable, "-c", f"import sys; {blocked}; from rtactors.cli.main import main; sys.exit(main())"]


def screen(output: str) -> list[str]:
    """The lines that a terminal shows in the end, without the empty ones and the colours."""
    lines: list[str] = []
    for part in re.split(r"(\x1b\[\d+F\x1b\[J)|\r?\n", output):
        if up := re.match(r"\x1b\[(\d+)F", part or ""):
            del lines[-int(up[1]) :]
        elif line := re.sub(r"\x1b\[[?\d;]+[a-z]", "", part or ""):
            lines.append(line)
    return lines
