"""Subtitles as text: WebVTT and SRT, and a file of either that grows with each message."""

import re
from html import escape
from math import isfinite
from pathlib import Path
from typing import Self

import anyio

from rtactors.errors import ConfigurationError
from rtactors.session_events import CaptionsEnded, SessionEvent
from rtactors.subtitles.cues import Cue, Cues, CueWord

_MARKUP = re.compile(r"<(?=[/!A-Za-z])|--(?=>)|\{(?=\\)")
_WORD_JOINER = "\u2060"


class SubtitleFile:
    """A file of what is heard, to be written while it is: WebVTT if it ends with `.vtt`, SRT with `.srt`.

        with SubtitleFile("call.vtt") as subtitles:
            async for event in session.captions():
                subtitles.write(event)

    Each message is appended when it has ended (a few hundred bytes to the system's cache), so the file is whole at any
    time, also if the process is killed. Its times count from `began`, in seconds of the session's clock
    (`anyio.current_time()`); from now, if that is None.

    Raises ConfigurationError for another suffix and for what can't be opened, TypeError or ValueError for a `began`
    that is no moment; `write` raises OSError if the disk is full, ValueError when the file is closed. What stood in the
    file before is gone.
    """

    def __init__(self, path: str | Path, *, began: float | None = None) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() not in {".vtt", ".srt"}:
            raise ConfigurationError(f"{self.path} is no name of a subtitle file: let it end with .vtt or .srt")
        self._form = webvtt if self.path.suffix.lower() == ".vtt" else srt
        self._cues = Cues(_now() if began is None else _moment(began))
        try:
            self._file = self.path.open("w", encoding="utf-8", errors="replace", newline="\n")
        except OSError as error:
            raise ConfigurationError(f"can't write to {self.path} ({error.strerror}): choose another file") from error
        except ValueError as error:  # of a name with a null byte
            raise ConfigurationError(f"can't write to {str(self.path)!r} ({error}): choose another name") from error
        self._append("WEBVTT\n\n" if self._form is webvtt else "")

    def write(self, event: SessionEvent) -> None:
        """Take an event of `Session.captions` or `Session.events`; those that end no message have nothing to write."""
        if isinstance(event, CaptionsEnded):
            if self._file.closed:
                raise ValueError(f"{self.path} is closed: write to it within its `with` block, or before `close`")
            self._append("".join(map(self._form, self._cues.of(event))))

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _append(self, text: str) -> None:
        self._file.write(text)
        self._file.flush()


def _now() -> float:
    try:
        return anyio.current_time()
    except RuntimeError:
        raise RuntimeError(
            "no event loop runs here, by whose clock a subtitle file counts: make it within that, or pass `began`"
        ) from None


def _moment(began: object) -> float:
    if isinstance(began, bool) or not isinstance(began, int | float):
        raise TypeError(f"began has to be seconds of the session's clock, a float, not {type(began).__name__}")
    if not isfinite(began):
        raise ValueError(f"began is {began}, which is no moment: pass what anyio.current_time() gives")
    return began


def webvtt(cue: Cue) -> str:
    """A cue of a WebVTT file, named for its message, with the time of each word: players that know how highlight what
    is being heard, and the others pass over it.
    """
    name = " ".join(cue.message_id.replace(">", "").split())
    lines: list[str] = []
    last = cue.start_ms
    for line in cue.lines:
        text = ""
        for word in line:
            if last < word.start_ms < cue.end_ms:  # the standard wants them in order, and inside of the cue
                last = word.start_ms
                text += f"{_space(word, text)}<{_clock(last, '.')}>{escape(word.text, quote=False)}"
            else:
                text += _space(word, text) + escape(word.text, quote=False)
        lines.append(text)
    return "\n".join([f"{name} {cue.number}", _times(cue, "."), *lines, "", ""])


def srt(cue: Cue) -> str:
    """A cue of an SRT file. That has no escapes: an invisible character keeps text from being taken for a tag."""
    lines: list[str] = []
    for line in cue.lines:
        text = ""
        for word in line:
            text += _space(word, text) + word.text
        lines.append(_MARKUP.sub(rf"\g<0>{_WORD_JOINER}", text))
    return "\n".join([str(cue.number), _times(cue, ","), *lines, "", ""])


def _space(word: CueWord, line: str) -> str:
    return " " if word.spaced and line else ""


def _times(cue: Cue, point: str) -> str:
    return f"{_clock(cue.start_ms, point)} --> {_clock(cue.end_ms, point)}"


def _clock(ms: int, point: str) -> str:
    minutes, ms = divmod(ms, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{ms // 1000:02}{point}{ms % 1000:03}"
