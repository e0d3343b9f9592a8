"""Is the record what was heard? Compares what left the sink, what the server keeps, the chat history and the captions.

Pure. What is heard comes from the sink and its recording, never from the ledger; each difference is one sentence.
"""

from array import array
from collections.abc import Iterator, Sequence

from msgspec import Struct

from rtactors.history import HistoryItem
from rtactors.loopback.conversation import BYTES_PER_MS, FRAMES_PER_MS, Snapshot

TOLERANCE_MS = 1
"""Servers cut by the millisecond, sinks count frames."""


class Heard(Struct, frozen=True, kw_only=True):
    """One message that was announced, as the sink knows it."""

    id: str
    number: int
    """What to call it, for people."""
    state: str
    """full, partial or skipped, as the session says."""
    frames: int
    """How many left the sink."""
    generated: bytes
    """PCM16: all that the server sent."""
    captions: str
    """What the captions had when they ended."""

    @property
    def name(self) -> str:
        return f"message {self.number}"

    @property
    def heard_ms(self) -> int:
        return self.frames // FRAMES_PER_MS

    @property
    def generated_ms(self) -> int:
        return len(self.generated) // BYTES_PER_MS


def differences(
    heard: Sequence[Heard], server: Sequence[Snapshot], history: Sequence[HistoryItem], recording: bytes
) -> list[str]:
    """What is not as it should be. `heard` in the order in which it was heard, `recording` the PCM16 of the sink."""
    kept = {item.id: item for item in server}
    said = {item.id: item for item in history}
    return [
        *_of_recording(heard, recording),
        *(line for one in heard for line in _of_message(one, kept.get(one.id), said.get(one.id))),
        *_of_order(heard, server, history),
        *_of_users(server, history),
    ]


def _of_recording(heard: Sequence[Heard], recording: bytes) -> Iterator[str]:
    """The recording holds, besides silence, just the frames heard of each message, one message after the other."""
    rest = _sounding(recording)
    for one in heard:
        expected = _sounding(one.generated[: 2 * one.frames])
        if rest[: len(expected)] != expected:
            yield f"heard.wav does not hold the {one.heard_ms} ms of {one.name} that the sink says were heard"
            return
        rest = rest[len(expected) :]
    if rest:
        yield f"heard.wav holds {len(rest)} frames of sound that belong to no message"


def _sounding(pcm: bytes) -> "array[int]":
    return array("h", filter(None, array("h", pcm)))


def _of_message(heard: Heard, kept: Snapshot | None, said: HistoryItem | None) -> Iterator[str]:
    name = heard.name
    full = heard.heard_ms >= heard.generated_ms
    expected = "skipped" if heard.heard_ms == 0 else "full" if full else "partial"
    if heard.state != expected:
        yield f"{name} is {heard.state}, but {heard.heard_ms} of {heard.generated_ms} ms were heard: {expected}"
    if heard.heard_ms == 0:
        if kept:
            yield f"the server keeps {kept.audio_ms} ms of {name}, of which nothing was heard"
        if said:
            yield f"the chat history holds {name}, of which nothing was heard"
        return
    yield from _of_kept(heard, kept)
    yield from _of_said(heard, said, full=full)
    if full and kept and said and said.heard_text != kept.text:
        yield f"{name} reads {said.heard_text!r} in the chat history, and {kept.text!r} on the server"


def _of_kept(heard: Heard, kept: Snapshot | None) -> Iterator[str]:
    name = heard.name
    if kept is None:
        yield f"the server does not hold {name}, of which {heard.heard_ms} ms were heard"
    elif abs(kept.audio_ms - heard.heard_ms) > TOLERANCE_MS:
        yield f"the server keeps {kept.audio_ms} ms of {name}, but {heard.heard_ms} ms were heard"


def _of_said(heard: Heard, said: HistoryItem | None, *, full: bool) -> Iterator[str]:
    name = heard.name
    if said is None:
        yield f"the chat history does not hold {name}, of which {heard.heard_ms} ms were heard"
        return
    if abs(said.heard_ms - heard.heard_ms) > TOLERANCE_MS:
        yield f"the chat history has {said.heard_ms} ms of {name}, but {heard.heard_ms} ms were heard"
    if abs(said.generated_ms - heard.generated_ms) > TOLERANCE_MS:
        yield f"the chat history has {name} generated with {said.generated_ms} ms, but it was {heard.generated_ms} ms"
    if said.interrupted == full:
        has, was = ("interrupted", "heard in full") if full else ("in full", "interrupted")
        yield f"the chat history has {name} {has}, but it was {was}"
    if not said.generated_text.startswith(said.heard_text):
        yield f"the chat history has {said.heard_text!r} as the heard part of {name}, which is not how it begins"
    elif said.heard_text.strip() != heard.captions.strip():
        yield f"{name} reads {said.heard_text!r} in the chat history, and {heard.captions!r} in its captions"


def _of_order(heard: Sequence[Heard], server: Sequence[Snapshot], history: Sequence[HistoryItem]) -> Iterator[str]:
    """Nothing that nobody knows of, and all of it in the order in which it was heard."""
    order = [one.id for one in heard if one.heard_ms]
    known = {one.id for one in heard}
    for where, record in (("the server", server), ("the chat history", history)):
        answers = [item.id for item in record if item.role == "assistant"]
        yield from (
            f"{where} holds the message {item}, which nobody announced" for item in answers if item not in known
        )
        if [item for item in answers if item in order] != [item for item in order if item in answers]:
            yield f"{where} has the messages in another order than they were heard in"


def _of_users(server: Sequence[Snapshot], history: Sequence[HistoryItem]) -> Iterator[str]:
    kept = [(item.id, item.text) for item in server if item.role == "user"]
    said = [(item.id, item.heard_text) for item in history if item.role == "user"]
    if kept != said:
        yield f"the user's turns are {_texts(said)} in the chat history, and {_texts(kept)} on the server"
    elif [item.id for item in server] != [item.id for item in history] and _ids(server) == _ids(history):
        yield "turns and messages stand in another order in the chat history than on the server"


def _texts(turns: Sequence[tuple[str, str]]) -> str:
    return ", ".join(repr(text) for _, text in turns) or "none"


def _ids(record: Sequence[Snapshot] | Sequence[HistoryItem]) -> set[str]:
    return {item.id for item in record}
