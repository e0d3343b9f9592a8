"""What the command `rtactors` can be called with.

A command's module is imported when it runs, so that `--help` is quick and needs none of what the commands need.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from rtactors import ConfigurationError, __version__
from rtactors.cli.ends import USAGE

if TYPE_CHECKING:
    from rtactors.recording import Recorder
    from statecharts.drawing import Format

PORT, LAST_PORT = 8765, 65535
FORMATS = ("mermaid", "svg", "scxml", "xstate")
SUFFIXES: "dict[str, Format]" = {
    "": "mermaid",
    ".mmd": "mermaid",
    ".md": "mermaid",
    ".svg": "svg",
    ".scxml": "scxml",
    ".json": "xstate",
}
"""Which format a file is in, by its name; what has none is mostly the terminal."""
AddParser: TypeAlias = Callable[..., argparse.ArgumentParser]
"""`add_parser` of argparse."""


class _Parser(argparse.ArgumentParser):
    """One that answers a wrong call with one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message}; see {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """The whole of it; what it parses has `run`, to be called with it, which returns the exit code."""
    whole = _Parser(
        prog="rtactors",
        description="Actors and statecharts for realtime speech models: the record equals what was heard.",
        epilog="rtactors COMMAND --help shows examples of each.",
    )
    whole.add_argument("--version", action="version", version=f"rtactors {__version__}")

    def help_alone(_: argparse.Namespace) -> int:
        whole.print_help(sys.stderr)
        return USAGE

    whole.set_defaults(run=help_alone)
    commands = whole.add_subparsers(title="commands", metavar="COMMAND")
    _add_demo(commands.add_parser)
    _add_talk(commands.add_parser)
    _add_serve(commands.add_parser)
    _add_draw(commands.add_parser)
    _add_replay(commands.add_parser)
    return whole


def _add(add_parser: AddParser, name: str, summary: str, description: str, examples: str) -> argparse.ArgumentParser:
    return add_parser(
        name,
        help=summary,
        description=fill(f"{summary[0].upper()}{summary[1:]}. {description}", 79),
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_demo(add_parser: AddParser) -> None:
    command = _add(
        add_parser,
        "demo",
        "hold a spoken conversation with an interruption, and check its record",
        "Needs no key, no microphone and no network. Exits with 1 if the record is not what was heard.",
        "  rtactors demo\n  rtactors demo --output results\n  rtactors demo --json | tail -1 | jq .differences",
    )
    command.add_argument(
        "--output",
        type=_path,
        default=Path("demo-output"),
        metavar="DIR",
        help="where heard.wav, subtitles of it, report.json and timeline.svg go (%(default)s)",
    )
    command.add_argument(
        "--json", action="store_true", help="print each event as a line of JSON, the report as the last"
    )
    _add_record(command)
    command.set_defaults(run=_demo)


def _add_talk(add_parser: AddParser) -> None:
    command = _add(
        add_parser,
        "talk",
        "talk with a model, by keyboard and, where there is one, by microphone",
        "Each line is a message to the model; an empty line or /interrupt stops it, /quit or Ctrl-D ends. With "
        "OPENAI_API_KEY OpenAI answers; with --url or OPENAI_BASE_URL the server that is there, also without a key; "
        "else the embedded provider, which knows no --model.",
        "  rtactors talk\n  OPENAI_API_KEY=... rtactors talk --model gpt-realtime --voice marin\n"
        "  rtactors talk --url ws://127.0.0.1:8765/v1\n  echo 'Tell me a story.' | rtactors talk --no-audio",
    )
    command.add_argument("--provider", choices=("openai", "loopback"), help="who answers; loopback is the embedded one")
    command.add_argument(
        "--url",
        type=_text,
        help="base URL of a server that speaks the OpenAI Realtime protocol, instead of OPENAI_BASE_URL",
    )
    command.add_argument(
        "--allow-unencrypted",
        action="store_true",
        help="send the key also to a --url of another machine that begins with ws: or http:",
    )
    command.add_argument("--model", type=_text, help="(gpt-realtime)")
    command.add_argument(
        "--voice", type=_text, help="a voice of the provider's; for the embedded one see rtactors serve --help"
    )
    command.add_argument("--instructions", type=_text, help="what the model is told to be")
    command.add_argument("--no-audio", action="store_true", help="keyboard only; speech passes at its pace, unheard")
    command.add_argument(
        "--json", action="store_true", help="print each event as a line of JSON, the history as the last"
    )
    _add_record(command)
    command.set_defaults(run=_talk)


def _add_record(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--record", type=_path, metavar="FILE", help="keep all that happens there, but for secrets; see rtactors replay"
    )
    command.add_argument("--no-recorded-audio", action="store_true", help="with --record: leave audio out, too")


def _add_serve(add_parser: AddParser) -> None:
    command = _add(
        add_parser,
        "serve",
        "run the embedded provider alone, for any client of the OpenAI Realtime protocol",
        "Ctrl-C ends it, and so does SIGTERM, with exit code 0.",
        "  rtactors serve\n  rtactors serve --port 0 --voice en+f4\n"
        "  rtactors serve --host 0.0.0.0 --token secret --log",
    )
    command.add_argument(
        "--host", type=_text, default="127.0.0.1", help="(%(default)s); one that others can reach needs --token"
    )
    command.add_argument("--port", type=_port, default=PORT, help="(%(default)s); 0 is any that is free")
    command.add_argument("--token", type=_text, help="the API key that clients must know")
    command.add_argument("--voice", type=_text, help="of eSpeak NG, such as en-us, en or en-us+f3; or `tone`")
    command.add_argument(
        "--word-times", action="store_true", help="tell when each word is spoken, as xAI's servers do (start_time)"
    )
    command.add_argument("--log", action="store_true", help="print every event")
    command.set_defaults(run=_serve)


def _text(text: str) -> str:
    """An empty one is a variable that the shell does not know, and never what was meant."""
    if text.strip():
        return text
    raise argparse.ArgumentTypeError("it is empty")


def _path(text: str) -> Path:
    return Path(_text(text))


def _port(text: str) -> int:
    if text.isdecimal() and int(text) <= LAST_PORT:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port, which is a number from 0 to {LAST_PORT}")


def _add_draw(add_parser: AddParser) -> None:
    command = _add(
        add_parser,
        "draw",
        "draw a statechart",
        "It is drawn from the table that runs it.",
        "  rtactors draw --list\n  rtactors draw message\n  rtactors draw message --output message.svg",
    )
    command.add_argument("chart", nargs="?", metavar="CHART", help="one of --list")
    command.add_argument("--list", action="store_true", help="say which charts there are")
    command.add_argument(
        "--format", choices=FORMATS, help="%(choices)s (that of --output's suffix: .mmd .md .svg .scxml .json; mermaid)"
    )
    command.add_argument("--output", type=_path, metavar="FILE", help="write there instead of to the terminal")
    command.add_argument("--json", action="store_true", help="with --list: as JSON")
    command.set_defaults(run=_draw)


def _add_replay(add_parser: AddParser) -> None:
    command = _add(
        add_parser,
        "replay",
        "let a recorded conversation happen again, and compare",
        "The real actors run on what was recorded of all that is outside of them. Prints a line for each event; exits "
        "with 1 if they do something else than they did. Of the options that choose events all that are given have to "
        "be true; each takes several, with commas.",
        "  rtactors talk --record call.jsonl\n  rtactors replay call.jsonl --check\n"
        "  rtactors replay call.jsonl --kind published --from 2.5\n"
        "  rtactors replay call.jsonl --step --actor response,context\n"
        "  rtactors replay call.jsonl --captions call.vtt\n"
        "  rtactors replay call.jsonl --export tests/test_call.py",
    )
    command.add_argument("file", type=_path, metavar="FILE", help="what --record, or a Recorder, wrote")
    does = command.add_mutually_exclusive_group()
    does.add_argument("--check", action="store_true", help="only say whether it is the same")
    does.add_argument("--step", action="store_true", help="stop at each event, with all states and the history")
    does.add_argument("--captions", type=_path, metavar="FILE", help="write subtitles of what was heard: .vtt or .srt")
    does.add_argument(
        "--export", type=_path, metavar="TEST", help="write a pytest file that replays it, and a copy beside it"
    )
    chosen = command.add_argument_group("which events")
    chosen.add_argument(
        "--actor", type=_list, metavar="NAMES", help="who did it, or to whom: transport, message, app, ..."
    )
    chosen.add_argument("--kind", type=_kinds, metavar="KINDS", help="sent, taken, published, socket, device, ...")
    chosen.add_argument("--type", type=_list, metavar="TYPES", help="of mail or event: InterruptAll, Keep, ...")
    chosen.add_argument("--id", type=_list, metavar="IDS", help="of an item, a response, an operation, ...")
    chosen.add_argument("--from", type=float, dest="since", metavar="S", help="seconds since the recording began")
    chosen.add_argument("--until", type=float, metavar="S", help="the same")
    command.set_defaults(run=_replay)


def _list(text: str) -> frozenset[str]:
    return frozenset(each.strip() for each in _text(text).split(","))


def _kinds(text: str) -> frozenset[str]:
    from rtactors.recording.telling import KINDS

    kinds = _list(text)
    if unknown := kinds.difference(KINDS):
        raise argparse.ArgumentTypeError(f"{min(unknown)!r} is no kind of event: there are {', '.join(KINDS)}")
    return kinds


def _demo(arguments: argparse.Namespace) -> int:
    from rtactors.cli.demo import demo

    return demo(arguments.output, as_json=arguments.json, recorder=_recorder(arguments))


def _recorder(arguments: argparse.Namespace) -> "Recorder | None":
    from rtactors.recording import Recorder

    if arguments.no_recorded_audio and not arguments.record:
        raise ConfigurationError("--no-recorded-audio goes with --record")
    return Recorder(arguments.record, audio=not arguments.no_recorded_audio) if arguments.record else None


def _talk(arguments: argparse.Namespace) -> int:
    from rtactors.cli.talk import Settings, talk

    settings = Settings(
        provider=arguments.provider,
        url=arguments.url,
        allow_unencrypted=arguments.allow_unencrypted,
        model=arguments.model,
        voice=arguments.voice,
        instructions=arguments.instructions,
        with_audio=not arguments.no_audio,
        as_json=arguments.json,
    )
    return talk(settings, _recorder(arguments))


def _serve(arguments: argparse.Namespace) -> int:
    from rtactors.cli.serve import serve

    return serve(
        arguments.host,
        arguments.port,
        token=arguments.token,
        voice=arguments.voice,
        word_times=arguments.word_times,
        log=arguments.log,
    )


def _draw(arguments: argparse.Namespace) -> int:
    from rtactors.cli.draw import draw_chart, list_charts

    if arguments.json and not arguments.list:
        raise ConfigurationError("--json goes with --list; a chart as JSON is --format xstate")
    if arguments.list or arguments.chart is None:
        return list_charts(as_json=arguments.json)
    format = arguments.format or (SUFFIXES.get(arguments.output.suffix.lower() if arguments.output else ""))
    if format is None:
        suffixes = " ".join(SUFFIXES).strip()
        raise ConfigurationError(f"the suffix of {arguments.output} is none of {suffixes}: give it a --format")
    return draw_chart(arguments.chart, format, arguments.output)


def _replay(arguments: argparse.Namespace) -> int:
    from rtactors.cli.export import export
    from rtactors.cli.replay import Filter, caption, check, show, step

    chosen = {name: getattr(arguments, name) for name in ("since", "until") if getattr(arguments, name) is not None}
    for name, field in (("actor", "actors"), ("kind", "kinds"), ("type", "types"), ("id", "ids")):
        if found := getattr(arguments, name):
            chosen[field] = found
    if chosen and (arguments.check or arguments.captions or arguments.export):
        what = "--check, --captions and --export are about all events: leave out what chooses some of them"
        raise ConfigurationError(what)
    if arguments.export:
        return export(arguments.file, arguments.export)
    if arguments.captions:
        return caption(arguments.file, arguments.captions)
    if arguments.check:
        return check(arguments.file)
    return (step if arguments.step else show)(arguments.file, Filter(**chosen))
