"""What is no recording is said to be none; what is torn is read as far as it is whole."""

from io import BytesIO
from pathlib import Path

import pytest
from msgspec import json

from rtactors import ConfigurationError
from rtactors.recording import read_recording
from tests.recording.recorded import read, record

DATA = record()
HEADER, FIRST, SECOND = DATA.splitlines(keepends=True)[:3]


def test_a_path_and_an_open_file_are_read_alike(tmp_path: Path) -> None:
    file = tmp_path / "call.jsonl"
    file.write_bytes(DATA)
    assert read_recording(file).events == read_recording(str(file)).events == read(DATA).events
    assert read_recording(file).name == str(file)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", r"the recording is no recording of rtactors: it does not begin with the header of one"),
        (b"hello\n", r".* is no recording .*"),
        (b"\xff\xfe\x00", r".* is no recording .*"),
        (b"[" * 10_000, r".* is no recording .*"),
        (FIRST, r".* is no recording .*"),
        (HEADER[:-20], r".* is no recording .*"),
        (
            HEADER.replace(b'"schema":1', b'"schema":2').replace(b'"rtactors":"', b'"rtactors":"9.'),
            r"the recording was made by rtactors 9\..* in a newer form \(2, this one reads 1\): update rtactors",
        ),
        (HEADER.replace(b'"provider":"openai",', b""), r"the recording, line 1 can't be read: .*`provider`.*"),
        (HEADER + FIRST + b"{}\n" + SECOND, r"the recording, line 3 can't be read: .*`kind`.*"),
        (HEADER + FIRST + b"nonsense\n", r"the recording, line 3 can't be read: .*"),
        (
            HEADER + SECOND,
            r"the recording, line 2: event 2 stands where event 1 should: lines are missing or were moved",
        ),
        (HEADER + FIRST + FIRST, r"the recording, line 3: event 1 stands where event 2 should: .*"),
    ],
)
def test_what_can_not_be_read_is_said(data: bytes, said: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{said}$"):
        read_recording(BytesIO(data))


@pytest.mark.parametrize("where", ["", "missing"])
def test_a_file_that_is_not_there(tmp_path: Path, where: str) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot read .* \(.*\)"):
        read_recording(tmp_path / where)


def test_a_torn_line_is_left_away() -> None:
    whole = read(HEADER + FIRST + SECOND)
    assert (len(whole.events), whole.torn) == (2, False)
    for end in range(len(HEADER + FIRST) + 1, len(HEADER + FIRST + SECOND)):
        torn = read(DATA[:end])
        assert (len(torn.events), torn.torn) == (1, True)


def test_fields_of_later_versions_are_passed_over() -> None:
    event = {**json.decode(FIRST), "more": {"a": 1}}
    header = {**json.decode(HEADER), "mood": "good"}
    assert len(read(json.encode(header) + b"\n" + json.encode(event) + b"\n").events) == 1
