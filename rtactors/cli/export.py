"""`rtactors replay --export`: a recorded conversation as a test that runs by itself."""

import re
import shutil
from pathlib import Path

from rtactors import ConfigurationError
from rtactors.cli.ends import OK
from rtactors.recording import Recording, lines, read_recording

_TEST = '''\
"""A recorded conversation, replayed: with the same coming in, the session has to do the same, event by event.

It has {count} events in {seconds:.1f} s{end}.
Written by `rtactors replay --export`. If it is to behave otherwise from now on, record it anew.
"""

from pathlib import Path

from rtactors.testing.replay import replay


def {name}() -> None:
    replay(Path(__file__).with_name("{data}"))
'''


def export(file: Path, test: Path) -> int:
    """Write the test, and a copy of the recording beside it. Raises ConfigurationError if that can't be."""
    recording = read_recording(file)
    if not re.fullmatch(r"test_\w+\.py", test.name):
        raise ConfigurationError(f"pytest would not find {test.name}: name it test_<something>.py")
    data = test.with_suffix(".jsonl")
    seconds = recording.events[-1].event.at - recording.header.at if recording.events else 0
    text = _TEST.format(
        count=len(recording.events), seconds=seconds, end=_end(recording), name=test.stem, data=data.name
    )
    try:
        if not (data.exists() and data.samefile(file)):
            shutil.copyfile(file, data)
        test.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise ConfigurationError(f"cannot write to {test} ({error.strerror}): choose another --export") from None
    print(f"{test} replays {data}: run it with pytest")
    return OK


def _end(recording: Recording) -> str:
    for recorded in recording.events:
        if isinstance(recorded.event, lines.Crashed):
            errors = ", ".join(error.type for error in recorded.event.errors)
            return f", and ended because the {recorded.event.who} actor raised {errors}"
    return ""
