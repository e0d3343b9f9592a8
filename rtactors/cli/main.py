"""The command `rtactors`: runs one of the commands, and tells in one line what goes wrong.

Exit codes: 0 all is well; 1 it failed, or `demo` found that the record differs; 2 it was called wrongly; 130 Ctrl-C.
"""

import io
import os
import sys
from collections.abc import Iterator, Sequence
from typing import cast

from rtactors import ConfigurationError, RtactorsError
from rtactors.cli.arguments import USAGE, parser
from rtactors.cli.terminal import plain

OK, FAILED, STOPPED = 0, 1, 130


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
    except BaseException as error:
        causes = list(_causes(error))
        if any(isinstance(cause, KeyboardInterrupt) for cause in causes):
            return STOPPED
        if all(isinstance(cause, BrokenPipeError) for cause in causes):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # who read us has read enough
            return FAILED
        if not all(isinstance(cause, RtactorsError | OSError) for cause in causes):
            raise
        print(f"rtactors: {plain(str(causes[0]))}", file=sys.stderr)
        return USAGE if isinstance(causes[0], ConfigurationError) else FAILED


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The errors in nested groups."""
    if isinstance(error, BaseExceptionGroup):
        for inner in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _causes(inner)
    else:
        yield error
