"""The command `rtactors`: runs one of the commands, and tells in one line what goes wrong.

Exit codes: 0 all is well; 1 it failed, or `demo` found that the record differs; 2 it was called wrongly; 130 Ctrl-C.
`serve` ends with 0 on SIGTERM, as service managers expect of what they stop.
"""

import io
import os
import sys
from collections.abc import Sequence

from rtactors import ConfigurationError, RtactorsError
from rtactors.causes import causes
from rtactors.cli.arguments import parser
from rtactors.cli.ends import FAILED, OK, STOPPED, USAGE, Interrupted, by_broken_pipe, by_ctrl_c
from rtactors.cli.terminal import plain


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a character shows another
    try:
        arguments = parser().parse_args(argv)
        return arguments.run(arguments)
    except SystemExit as end:  # of argparse, which has said why
        return USAGE if end.code else OK
    except Interrupted as interrupted:
        if by_broken_pipe(interrupted.__cause__ or interrupted):
            _stop_printing()
        print(f"rtactors: {interrupted}", file=sys.stderr)
        return STOPPED
    except BaseException as error:
        if by_ctrl_c(error):
            return STOPPED
        if by_broken_pipe(error):
            _stop_printing()
            return FAILED
        first, *others = causes(error)
        if not all(isinstance(cause, RtactorsError | OSError) for cause in (first, *others)):
            raise
        print(f"rtactors: {plain(str(first))}", file=sys.stderr)
        return USAGE if isinstance(first, ConfigurationError) else FAILED


def _stop_printing() -> None:
    """Nobody reads it, and what still waits to be written must not fail at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
