"""Reads a recording back."""

from pathlib import Path
from typing import BinaryIO, TypeVar

from msgspec import DecodeError, Struct, ValidationError, json

from rtactors.errors import ConfigurationError
from rtactors.recording import lines

T = TypeVar("T")


class _Version(Struct, tag_field="kind", tag="recording"):
    """So much of a header every version can read."""

    schema: int
    rtactors: str


_version = json.Decoder(_Version)
_header = json.Decoder(lines.Header)
_event = json.Decoder(lines.Event)


class Recorded(Struct, frozen=True):
    """One event, as it stands in the file and as it was meant."""

    line: bytes
    event: lines.Event


class Recording(Struct, frozen=True):
    """What was recorded of one session."""

    name: str
    header: lines.Header
    events: list[Recorded]
    torn: bool
    """True if the last line is not whole, and was left away: the process was killed while it was written."""

    @property
    def audio(self) -> bool:
        """Whether audio is in it."""
        return "audio" not in self.header.left_out


def read_recording(file: str | Path | BinaryIO) -> Recording:
    """Raises ConfigurationError if there is none, or it can't be read."""
    name = str(file) if isinstance(file, str | Path) else getattr(file, "name", "the recording")
    try:
        data = Path(file).read_bytes() if isinstance(file, str | Path) else file.read()
    except OSError as error:
        raise ConfigurationError(f"cannot read {name} ({error.strerror})") from None
    first, *rest = data.split(b"\n")
    header = _read_header(name, first)
    torn = rest.pop() != b"" if rest else True  # each line has its end
    events = [_read(name, number, line) for number, line in enumerate(rest, 2)]
    for number, recorded in enumerate(events, 1):
        if recorded.event.n != number:
            what = f"event {recorded.event.n} stands where event {number} should"
            raise ConfigurationError(f"{name}, line {number + 1}: {what}: lines are missing or were moved")
    return Recording(str(name), header, events, torn)


def _read_header(name: str, line: bytes) -> lines.Header:
    try:
        version = _version.decode(line)
    except (DecodeError, RecursionError):
        what = "it does not begin with the header of one"
        raise ConfigurationError(f"{name} is no recording of rtactors: {what}") from None
    if version.schema > lines.SCHEMA:
        what = f"made by rtactors {version.rtactors} in a newer form ({version.schema}, this one reads {lines.SCHEMA})"
        raise ConfigurationError(f"{name} was {what}: update rtactors")
    try:
        return _header.decode(line)
    except ValidationError as error:
        raise ConfigurationError(f"{name}, line 1 can't be read: {error}") from None


def _read(name: str, number: int, line: bytes) -> Recorded:
    try:
        return Recorded(line, _event.decode(line))
    except (DecodeError, RecursionError) as error:
        raise ConfigurationError(f"{name}, line {number} can't be read: {error}") from None
