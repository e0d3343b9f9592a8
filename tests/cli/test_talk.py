"""`rtactors talk` with something else than a keyboard at its stdin, against the embedded provider."""

import json
import re
import subprocess
from collections.abc import Generator

import pytest

from tests.cli.command import rtactors, running, without

pytestmark = pytest.mark.sockets

EMBEDDED = "embedded provider (no OPENAI_API_KEY)\n"
AT_URL = r"gpt-realtime at 127\.0\.0\.1:\d+\n"
FIRST = "Ada kept the lighthouse. Every evening she counted the ships that passed, and wrote them in a book."


@pytest.fixture(scope="module")
def url() -> Generator[str]:
    with running("serve", "--port", "0", "--token", "secret") as server:
        yield re.findall(r"ws://\S+", server.until("\n"))[0]


def test_each_line_is_a_message_and_an_empty_one_interrupts() -> None:
    with running("talk", "--no-audio") as talk:
        talk.type("Tell me a story.\n")
        talk.until("model    Ada kept")
        talk.type("\n")
        talk.until("(stopped: ")
        talk.type("Who is Ada?\n")
        result = talk.end()
    assert (result.code, result.err) == (0, EMBEDDED)
    live, _, history = result.out.partition("\nas heard:\n")
    [stopped] = re.findall(r"^model    (Ada kept.*) — \(stopped: [\d.]+ of [\d.]+ s heard\)$", live, re.MULTILINE)
    assert FIRST.startswith(stopped)
    assert len(re.findall(r"^model    \(not heard.*\)$", live, re.MULTILINE)) <= 2  # those announced by then
    assert history == (
        f"you      Tell me a story.\nmodel    {stopped} —\n"
        "you      Who is Ada?\nmodel    Ada is the keeper of the lighthouse. She lives there alone.\n"
    )


def test_what_was_asked_for_is_waited_for_when_stdin_ends(url: str) -> None:
    """With an empty story behind it, this is the shortest way through a whole reply."""
    with running("talk", "--no-audio", "--url", url, OPENAI_API_KEY="secret") as talk:
        talk.type("Tell me a story.\n")
        talk.until("model    Ada")
        talk.type("/interrupt\nWhat happened?")  # the last line has no end
        result = talk.end()
    assert result.code == 0
    assert re.fullmatch(AT_URL, result.err)
    assert result.out.endswith("model    The captain found the harbour, and Ada wrote one more ship.\n")


def test_quit_ends_at_once() -> None:
    with running("talk", "--no-audio") as talk:
        talk.type("Tell me a story.\n")
        talk.until("model    Ada")
        talk.type("/quit\n")
        out = talk.until("\nas heard:\n")  # though its stdin is still open
        result = talk.end()
    assert (result.code, result.err) == (0, EMBEDDED)
    assert "(stopped: " in out


def test_ctrl_c_ends_it_with_the_record_of_what_was_heard() -> None:
    with running("talk", "--no-audio") as talk:
        talk.type("Tell me a story.\n")
        talk.until("model    Ada")
        talk.interrupt()
        out = talk.until("\nas heard:\n")
        result = talk.end()
    assert (result.code, result.err) == (130, EMBEDDED)
    assert "(stopped: " in out
    assert result.out.endswith(" —\n")


def test_nothing_said_is_a_conversation_too(url: str) -> None:
    result = rtactors("talk", "--no-audio", "--url", url, OPENAI_API_KEY="secret")
    assert (result.code, result.out) == (0, "")
    assert re.fullmatch(AT_URL, result.err)


def test_for_programs(url: str) -> None:
    with running("talk", "--no-audio", "--json", "--url", url, OPENAI_API_KEY="secret") as talk:
        talk.type("/dance\nTell me a story.\n")
        talk.until('"after":"playing"')
        talk.type("\n")
        result = talk.end()
    assert (result.code, result.err) == (0, "")
    lines = [json.loads(line) for line in result.out.splitlines()]
    assert {
        "Problem",
        "ConnectionChanged",
        "MessageAnnounced",
        "MessageText",
        "Caption",
        "CaptionsEnded",
        "AgentSaid",
    } <= {line["type"] for line in lines}
    assert lines[-1]["type"] == "History"
    question, answer = lines[-1]["items"]
    assert (question["role"], question["heard_text"]) == ("user", "Tell me a story.")
    assert answer["interrupted"]
    assert 0 < answer["heard_ms"] < answer["generated_ms"]


@pytest.mark.parametrize("key", ["", "wrong"])
def test_a_wrong_key_is_said_in_one_line_and_not_repeated(url: str, key: str) -> None:
    result = rtactors("talk", "--no-audio", "--url", url, OPENAI_API_KEY=key)
    assert (result.code, result.out) == (1, "")
    assert re.fullmatch(
        r"rtactors: ws://127.0.0.1:\d+/v1/realtime refused the connection with HTTP 401 .*: check the API key\n",
        result.err,
    )
    assert not key or key not in result.err


def test_a_server_that_goes_away_and_comes_back_is_said_and_what_was_heard_stays() -> None:
    with running("serve", "--port", "0") as server:
        url = re.findall(r"ws://\S+", server.until("\n"))[0]
        with running("talk", "--no-audio", "--url", url) as talk:
            talk.type("Tell me a story.\n")
            talk.until("model    Ada")
            server.interrupt()
            talk.until("connecting again ...)\n")
            port = url.partition("127.0.0.1:")[2].partition("/")[0]
            with running("serve", "--port", port):
                talk.until("(connected again; the server was told what was said)\n")
                talk.type("/quit\n")
                talk.until("\nas heard:\n")
                result = talk.end()
    assert result.code == 0
    assert "you      Tell me a story.\nmodel    Ada" in result.out.partition("\nas heard:\n")[2]
    assert "problem" not in result.out


def test_without_devices_it_is_by_keyboard() -> None:
    process = subprocess.run(
        [*without("sounddevice"), "talk"], input="", capture_output=True, text=True, check=False, timeout=30
    )
    assert (process.returncode, process.stdout) == (0, "")
    line = (
        'rtactors: the extra for audio devices is not installed: pip install "rtactors[audio]" '
        "(--no-audio: by keyboard alone)\n"
    )
    assert process.stderr == EMBEDDED + line


def test_a_base_url_in_the_environment_counts_also_without_a_key() -> None:
    with running("serve", "--port", "0", "--voice", "tone") as server:
        url = re.findall(r"ws://\S+", server.until("\n"))[0]
        result = rtactors("talk", "--no-audio", OPENAI_BASE_URL=url.replace("ws:", "http:"))
        nowhere = rtactors("talk", "--no-audio", OPENAI_BASE_URL=url.removesuffix("/v1"))
    assert (result.code, result.out) == (0, "")
    assert re.fullmatch(AT_URL, result.err)
    assert (nowhere.code, nowhere.out) == (1, "")
    assert nowhere.err.endswith(": check the base URL: the path is usually /v1\n")
