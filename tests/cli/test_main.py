"""The command itself: its help, and one line and an exit code for whatever a user does wrong."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from rtactors import __version__
from rtactors.cli.main import main
from tests.cli.command import rtactors, without

COMMANDS = ("demo", "talk", "serve", "draw", "replay")


def test_version() -> None:
    assert rtactors("--version") == (0, f"rtactors {__version__}\n", "")


def test_help_names_every_command() -> None:
    result = rtactors("--help")
    assert (result.code, result.err) == (0, "")
    assert all(re.search(rf"^    {command} ", result.out, re.MULTILINE) for command in COMMANDS)


def test_alone_it_helps_but_has_done_nothing() -> None:
    result = rtactors()
    assert (result.code, result.out) == (2, "")
    assert result.err == rtactors("--help").out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_shows_examples(command: str) -> None:
    result = rtactors(command, "--help")
    assert (result.code, result.err) == (0, "")
    examples = result.out.partition("examples:\n")[2]
    assert f"  rtactors {command}" in examples or f"| rtactors {command}" in examples


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["dance"], r"argument COMMAND: invalid choice: 'dance' \(choose from .*\); see rtactors --help"),
        (["demo", "--fast"], r"unrecognized arguments: --fast; see rtactors --help"),
        (["draw", "--format", "png"], r"argument --format: invalid choice: 'png' \(.*\); see rtactors draw --help"),
        (["draw", "mesage"], r"there is no chart 'mesage': did you mean message\?"),
        (["draw", "x"], r"there is no chart 'x': there are message, transcript, response, .*"),
        (["draw", "message", "--json"], r"--json goes with --list; .*"),
        (["draw", "message", "--output", "x.png"], r"the suffix of x\.png is none of \.mmd .*: give it a --format"),
        (
            ["draw", "message", "--format", "svg", "--output", "/"],
            r"cannot write to / \(Is a directory\): choose another --output",
        ),
        (["serve", "--port", "many"], r"argument --port: 'many' is no port, .*; see rtactors serve --help"),
        (["serve", "--port", "70000"], r"argument --port: '70000' is no port, .*; see .*"),
        (
            ["serve", "--host", "0.0.0.0"],
            r"0\.0\.0\.0 can be reached by others: give it a --token, or serve on 127.0.0.1",
        ),
        (["serve", "--host", "203.0.113.1"], r"203\.0\.113\.1 is no host of this machine: .*"),
        (["serve", "--token", ""], r"argument --token: it is empty; see rtactors serve --help"),
        (["serve", "--token", "x", "--host", "203.0.113.1"], r"203\.0\.113\.1 is no host of this machine: .*"),
        (["serve", "--token", "x", "--host", "no host"], r"no host is no host of this machine: .*"),
        (
            ["talk", "--no-audio", "--provider", "openai"],
            r"there is no OpenAI API key: set the environment variable OPENAI_API_KEY",
        ),
        (
            ["talk", "--no-audio", "--provider", "loopback", "--url", "ws://x"],
            r"--provider loopback starts a server of its own: .*",
        ),
        (["talk", "--model", "gpt-4"], r"the embedded provider has no models: leave out --model, .*"),
        (["talk", "--voice", ""], r"argument --voice: it is empty; see rtactors talk --help"),
        (["talk", "--url", "example.com"], r"--url: websocket_base_url must begin with .*"),
        (["talk", "--url", "ws://"], r"--url: websocket_base_url names no host: .*"),
        (["talk", "--no-recorded-audio"], r"--no-recorded-audio goes with --record"),
        (["talk", "--no-audio", "--record", "/"], r"cannot record into / \(Is a directory\): choose another file"),
        (["replay"], r"the following arguments are required: FILE; see rtactors replay --help"),
        (["replay", "no such file"], r"cannot read no such file \(No such file or directory\)"),
        (["replay", __file__], r".*test_main\.py is no recording of rtactors: .*"),
        (["replay", "x", "--step", "--check"], r"argument --check: not allowed with argument --step; see .*"),
        (["replay", "x", "--check", "--id", "y"], r"--check, --captions and --export are about all events: .*"),
        (["replay", "x", "--kind", "mail"], r"argument --kind: 'mail' is no kind of event: there are sent, taken, .*"),
        (["replay", "x", "--from", "noon"], r"argument --from: invalid float value: 'noon'; see .*"),
    ],
)
def test_a_wrong_call_is_answered_in_one_line(
    arguments: list[str], said: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process: that an exit code is the command's is seen once, below, and to start Python anew is what takes
    long.
    """
    for name in [name for name in os.environ if name.startswith("OPENAI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "argv", ["rtactors"])
    code = main(arguments)
    result = capfd.readouterr()
    assert (code, result.out) == (2, "")
    assert re.fullmatch(rf"rtactors( \w+)?: {said}\n", result.err), result.err


@pytest.mark.parametrize("arguments", [["dance"], ["draw", "mesage"], ["replay", "no such file"]])
def test_a_wrong_call_has_an_exit_code(arguments: list[str]) -> None:
    """Of the arguments, and of what is found later."""
    result = rtactors(*arguments)
    assert (result.code, result.out, len(result.err.splitlines())) == (2, "", 1)


@pytest.mark.sockets
def test_a_port_in_use_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = rtactors("serve", "--port", str(port))
    assert result == (
        2,
        "",
        f"rtactors: cannot serve on 127.0.0.1 port {port} (Address already in use): choose another port, or 0\n",
    )


@pytest.mark.sockets
def test_a_refused_connection_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    result = rtactors("talk", "--no-audio", "--url", f"ws://127.0.0.1:{port}/v1")
    assert (result.code, result.out) == (1, "")
    assert re.fullmatch(
        rf"rtactors: nothing answers at ws://127.0.0.1:{port}/v1/realtime \(Connection refused\): .*\n", result.err
    )


def test_a_voice_without_the_extra_is_said() -> None:
    command = [*without("espeakng_loader"), "serve", "--voice", "en-us"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert (result.returncode, result.stdout) == (2, "")
    assert re.fullmatch(
        r'rtactors: the spoken voice needs eSpeak NG, .*: pip install "rtactors\[speech\]"\n', result.stderr
    )


def test_who_stops_reading_ends_it_quietly() -> None:
    command = f"{sys.executable} -W error -m rtactors.cli draw message --format svg | head -c 1"
    result = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False, timeout=30
    )
    assert (result.stdout, result.stderr) == ("<", "")


def test_help_is_quick_because_it_loads_little() -> None:
    heavy = {
        "anyio.from_thread",
        "numpy",
        "openai",
        "websockets",
        "pocketsphinx",
        "espeakng_loader",
        "rtactors.loopback",
    }
    script = f"import sys, rtactors.cli.main as it; it.main(['--help']); print(*({heavy} & sys.modules.keys()))"
    out = subprocess.check_output([sys.executable, "-c", script], text=True, cwd=Path(__file__).parents[2])
    assert out.splitlines()[-1] == ""
