"""The command `rtactors`: reads the arguments, runs one of the commands, and tells what goes wrong in one line.

Exit codes: 0 all is well; 1 it failed, or `demo` found that the record differs; 2 it was called wrongly; 130 Ctrl-C.
A command's module is imported when the command runs, so that `--help` is quick and needs none of what they need.
"""

import argparse
import io
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn, cast

from rtactors import ConfigurationError, RtactorsError, __version__

OK, FAILED, USAGE, STOPPED = 0, 1, 2, 130

PORT, LAST_PORT = 8765, 65535
FORMATS = ("mermaid", "svg", "scxml", "xstate")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a character shows another
    try:
        arguments = _parser().parse_args(argv)
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
        print(f"rtactors: {causes[0]}", file=sys.stderr)
        return USAGE if isinstance(causes[0], ConfigurationError) else FAILED


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The errors in nested groups."""
    if isinstance(error, BaseExceptionGroup):
        for inner in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _causes(inner)
    else:
        yield error


class _Parser(argparse.ArgumentParser):
    """One that answers a wrong call with one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="rtactors",
        description="Actors and statecharts for realtime speech models: the record equals what was heard.",
        epilog="rtactors COMMAND --help shows examples of each.",
    )
    parser.add_argument("--version", action="version", version=f"rtactors {__version__}")

    def help_alone(_: argparse.Namespace) -> int:
        parser.print_help(sys.stderr)
        return USAGE

    parser.set_defaults(run=help_alone)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_demo(commands)
    _add_talk(commands)
    _add_serve(commands)
    _add_draw(commands)
    return parser


def _add(commands: Any, name: str, summary: str, description: str, examples: str) -> argparse.ArgumentParser:  # noqa: ANN401 - argparse does not name this type
    return commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}. {description}",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_demo(commands: Any) -> None:  # noqa: ANN401 - see _add
    parser = _add(
        commands,
        "demo",
        "hold a spoken conversation with an interruption, and check its record",
        "Needs no key, no\nmicrophone and no network. Exits with 1 if the record is not what was heard.",
        "  rtactors demo\n  rtactors demo --output /tmp/demo\n  rtactors demo --json | tail -1 | jq .differences",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("demo-output"),
        metavar="DIR",
        help="where heard.wav, report.json and timeline.svg go (%(default)s)",
    )
    parser.add_argument(
        "--json", action="store_true", help="print each event as a line of JSON, the report as the last"
    )
    parser.set_defaults(run=_demo)


def _add_talk(commands: Any) -> None:  # noqa: ANN401 - see _add
    parser = _add(
        commands,
        "talk",
        "talk with a model, by keyboard and, where there is one, by microphone",
        "Each line is a message to the model; an empty line or /interrupt stops it, /quit or Ctrl-D ends. Without a\n"
        "key in OPENAI_API_KEY, and without --url, the embedded provider answers.",
        "  rtactors talk\n  OPENAI_API_KEY=... rtactors talk --model gpt-realtime --voice marin\n"
        "  rtactors talk --url ws://127.0.0.1:8765/v1\n  echo 'Tell me a story.' | rtactors talk --no-audio",
    )
    parser.add_argument("--provider", choices=("openai", "loopback"), help="who answers; loopback is the embedded one")
    parser.add_argument("--url", help="base URL of a server that speaks the OpenAI Realtime protocol")
    parser.add_argument("--model", default="gpt-realtime", help="(%(default)s)")
    parser.add_argument("--voice", help="a voice of the provider's")
    parser.add_argument("--instructions", help="what the model is told to be")
    parser.add_argument("--no-audio", action="store_true", help="keyboard only; speech passes at its pace, unheard")
    parser.add_argument(
        "--json", action="store_true", help="print each event as a line of JSON, the history as the last"
    )
    parser.set_defaults(run=_talk)


def _add_serve(commands: Any) -> None:  # noqa: ANN401 - see _add
    parser = _add(
        commands,
        "serve",
        "run the embedded provider alone, for any client of the OpenAI Realtime protocol",
        "Ctrl-C ends it.",
        "  rtactors serve\n  rtactors serve --port 0 --voice en+f4\n"
        "  rtactors serve --host 0.0.0.0 --token secret --log",
    )
    parser.add_argument("--host", default="127.0.0.1", help="(%(default)s); one that others can reach needs --token")
    parser.add_argument("--port", type=_port, default=PORT, help="(%(default)s); 0 is any that is free")
    parser.add_argument("--token", help="the API key that clients must know")
    parser.add_argument("--voice", help="of eSpeak NG, such as en-us, en or en-us+f3; or `tone`")
    parser.add_argument("--log", action="store_true", help="print every event")
    parser.set_defaults(run=_serve)


def _port(text: str) -> int:
    if text.isdecimal() and int(text) <= LAST_PORT:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port, which is a number from 0 to {LAST_PORT}")


def _add_draw(commands: Any) -> None:  # noqa: ANN401 - see _add
    parser = _add(
        commands,
        "draw",
        "draw a statechart",
        "",
        "  rtactors draw --list\n  rtactors draw message\n  rtactors draw message --format svg --output message.svg",
    )
    parser.add_argument("chart", nargs="?", metavar="CHART", help="one of --list")
    parser.add_argument("--list", action="store_true", help="say which charts there are")
    parser.add_argument("--format", choices=FORMATS, default="mermaid", help="%(choices)s (%(default)s)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write there instead of to the terminal")
    parser.add_argument("--json", action="store_true", help="with --list: as JSON")
    parser.set_defaults(run=_draw)


def _demo(arguments: argparse.Namespace) -> int:
    from rtactors.cli.demo import demo

    return demo(arguments.output, as_json=arguments.json)


def _talk(arguments: argparse.Namespace) -> int:
    from rtactors.cli.talk import Settings, talk

    settings = Settings(
        provider=arguments.provider,
        url=arguments.url,
        model=arguments.model,
        voice=arguments.voice,
        instructions=arguments.instructions,
        with_audio=not arguments.no_audio,
        as_json=arguments.json,
    )
    return talk(settings)


def _serve(arguments: argparse.Namespace) -> int:
    from rtactors.cli.serve import serve

    return serve(arguments.host, arguments.port, token=arguments.token, voice=arguments.voice, log=arguments.log)


def _draw(arguments: argparse.Namespace) -> int:
    from rtactors.cli.draw import draw_chart, list_charts

    if arguments.list or arguments.chart is None:
        return list_charts(as_json=arguments.json)
    return draw_chart(arguments.chart, arguments.format, arguments.output)
