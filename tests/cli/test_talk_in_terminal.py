"""`rtactors talk` on a terminal, whose keyboard echoes into the text."""

import os
import re
import subprocess
from collections.abc import Callable, Generator

import pytest

from tests.cli.command import COMMAND
from tests.cli.emulator import Emulator

pytestmark = pytest.mark.sockets

SPOKEN = re.compile(r"\x1b\[1;4;36m(.*?)\x1b\[0m")


class Person:
    """Who sits at a terminal of 60 columns."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self.out = ""

    def type(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def wait(self, until: Callable[[str], object]) -> None:
        """For something to be printed."""
        while not until(self.out):
            self.out += os.read(self._terminal, 4096).decode(errors="replace")

    @property
    def sees(self) -> list[str]:
        screen = Emulator(columns=60)
        screen.feed(self.out)
        return screen.lines


@pytest.fixture
def person() -> Generator[Person]:
    master, slave = os.openpty()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "NO_COLOR"))}
    with subprocess.Popen(
        [*COMMAND, "talk", "--no-audio"],
        stdin=slave,
        stdout=slave,
        stderr=subprocess.DEVNULL,
        env=environment | {"TERM": "xterm", "COLUMNS": "60"},
    ) as process:
        try:
            yield Person(master)
        finally:
            process.kill()
            os.close(master)
            os.close(slave)


def test_words_are_highlighted_as_they_are_spoken_and_enter_stops_at_the_last_that_was_heard(person: Person) -> None:
    person.type("Tell me a story.\n")
    person.wait(lambda out: "evening" in SPOKEN.findall(out))
    person.type("\n")
    person.wait(lambda out: "heard)" in out)
    person.type("/quit\n")
    person.wait(lambda out: "as heard:" in out and out.endswith("—\r\n"))
    shown = " ".join(person.sees)
    [heard] = re.findall(r"model +(Ada kept the lighthouse\. .*?) — \(stopped: ", shown)
    assert re.search(rf"model +{re.escape(heard)} —$", shown)  # the history
    assert len(set(SPOKEN.findall(person.out)) & set(heard.split())) > 3
