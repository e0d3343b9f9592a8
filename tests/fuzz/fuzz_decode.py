"""Coverage-guided fuzzing of `decode`, by hand: needs `pip install atheris` (which has wheels for Linux).

    python -m tests.fuzz.fuzz_decode -max_total_time=60      # options are libFuzzer's; a folder keeps what it found

What guides it is the coverage of our own Python: the translation, not the parsing, since msgspec is C and not
instrumented. So it finds new ways through `decode` once a frame is well-formed; to get there it begins with one frame
of each type. What breaks JSON and the fields' types is the work of `test_decode.py`, whose grammar knows both.
"""

import sys
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import Phase, given, settings

atheris: Any = import_module("atheris")  # not among the locked packages, and known to no type checker
with atheris.instrument_imports(include=["rtactors.providers.openai"]):
    from rtactors.providers.openai.decode import decode
    from tests.fuzz.grammar import EVENTS_OF_A_SERVER, Sent, frames
    from tests.fuzz.inputs import ALL_CHECKS
    from tests.fuzz.test_decode import check

SEEDS = 300
LARGE = 4000
"""Bytes of a frame that is none to begin with."""


def one_input(data: bytes) -> None:
    """As text if it is some, since that is what servers send."""
    try:
        frame: str | bytes = data.decode()
    except UnicodeDecodeError:
        frame = data
    for event in decode(frame):
        check(event)


def seeds(folder: Path) -> None:
    """Valid frames to begin with."""

    @settings(
        max_examples=SEEDS,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=ALL_CHECKS,
    )
    @given(frames(EVENTS_OF_A_SERVER, wrong=0))
    def write(sent: Sent) -> None:
        frame = str(sent.frame).encode(errors="surrogatepass")
        if len(frame) < LARGE:
            (folder / f"{hash(frame):x}").write_bytes(frame)

    write()


def main(arguments: list[str]) -> None:
    with TemporaryDirectory() as folder:
        seeds(Path(folder))
        atheris.Setup([arguments[0], f"-max_len={2 * LARGE}", *arguments[1:], folder], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
