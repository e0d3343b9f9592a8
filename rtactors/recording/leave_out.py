"""What must not get into a recording: secrets, and on request audio.

Secrets go by name (`authorization`, `api_key`, `token`, `headers`, ... at any depth, also in a URL, and in the JSON
text of function calls) and by value: what the endpoint held as keys is looked for everywhere. What is left out keeps
its type, and a value that is found its length, so that a replay takes the same turns without it.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit
from zlib import crc32

from msgspec import Raw, json

from rtactors.discretion import SHORTEST, stars, without
from rtactors.providers.base import Endpoint, Frame

LEFT_OUT = "[left out]"
AUDIO = "$audio"
BYTES = "$base64"

_SECRET_NAME = re.compile(
    r"(^|_)(auth|authorization|bearer|token|secret|password|passwd|credentials?|cookie|headers?"
    r"|(api|access|private|secret|session|auth|ephemeral)_?key|apikey)$"
)
_NAMES = r"[\w-]*(?:auth|authorization|bearer|token|secret|password|credentials?|cookie|key)"
_QUOTED = re.compile(rf'(?P<name>"{_NAMES}"\s*:\s*")(?P<value>(?:[^"\\]|\\.)*)', re.IGNORECASE)
_IN_URL = re.compile(rf"(?P<name>://(?=[^/\s]*@)|[?&]{_NAMES}=)(?P<value>[^&#@\s]+)", re.IGNORECASE)
_QUOTED_AUDIO = re.compile(r"[A-Za-z0-9+/=]{64,}")
_WORD_END = re.compile(r"([a-z])([A-Z])")
_UNREADABLE = (ValueError, RecursionError)
"""What reading JSON raises, and what writing it again does."""
_JSON_TEXTS = ("arguments", "output")
"""Strings that hold JSON: what a function was called with, and what it gave."""


@lru_cache(maxsize=1024)
def is_secret(name: str) -> bool:
    """Whether something of this name is nobody's business."""
    return _SECRET_NAME.search(_WORD_END.sub(r"\1_\2", name).lower().replace("-", "_")) is not None


def secrets_of(endpoint: Endpoint) -> set[str]:
    """What to look for everywhere: what the endpoint knows to be secret, and what looks so in headers and the query."""
    named = [*endpoint.headers.items(), *parse_qsl(urlsplit(endpoint.url).query)]
    found = {part for name, value in named if _may_be_key(name, value) for part in (value, value.split()[-1])}
    found |= {part for each in endpoint.subprotocols for part in (each, each.rpartition(".")[2]) if _looks_random(part)}
    return {value for value in found | endpoint.all_secrets if len(value) >= SHORTEST}


def _may_be_key(name: str, value: str) -> bool:
    return bool(value.strip()) and (is_secret(name) or _looks_random(value))


def _looks_random(value: str) -> bool:
    """Other headers have words, versions and sizes; those are in the protocol too, and must stay there."""
    return len(value) >= 2 * SHORTEST and any(map(str.isdigit, value)) and any(map(str.isalpha, value))


class LeaveOut:
    """Takes out what must not get in. `audio` is True if audio may."""

    def __init__(self, *, audio: bool) -> None:
        self.audio = audio
        self._values: tuple[str, ...] = ()
        self._encoded: tuple[tuple[bytes, bytes], ...] = ()

    def learn(self, endpoint: Endpoint) -> None:
        """Its secrets are to be found nowhere from now on."""
        self._values = tuple(sorted({*self._values, *secrets_of(endpoint)}, key=len, reverse=True))
        self._encoded = tuple((json.encode(value)[1:-1], stars(value).encode()) for value in self._values)

    def from_line(self, line: bytes) -> bytes:
        """The last look at what is to be written."""
        for value, starred in self._encoded:
            if value in line:
                line = line.replace(value, starred)
        return line

    def from_plain(self, value: Any, *, name: str = "", secret: bool = False) -> Any:  # noqa: ANN401 - JSON
        """What stands under `name`, without its secrets."""
        secret = secret or is_secret(name)
        match value:
            case dict():
                members = cast("dict[str, Any]", value)
                # What comes piece by piece can't be read; it comes once more as a whole.
                hidden = "delta" if str(members.get("type")).endswith("arguments.delta") else None
                return {
                    each: self.from_plain(member, name=each, secret=secret or each == hidden)
                    for each, member in members.items()
                }
            case list() | tuple():
                return [self.from_plain(each, name=name, secret=secret) for each in cast("Iterable[Any]", value)]
            case str() if secret:
                return value and LEFT_OUT
            case str():
                return self._from_text(value, may_be_json=name in _JSON_TEXTS)
            case _:
                return value

    def audio_of(self, audio: bytes, *, keep: bool) -> dict[str, Any]:
        """What stands for it. `keep` where it came from outside, and stands nowhere else."""
        if not self.audio:
            return {AUDIO: {"bytes": len(audio)}}
        if keep:
            return {AUDIO: {"bytes": len(audio), "base64": base64.b64encode(audio).decode()}}
        return {AUDIO: {"bytes": len(audio), "crc32": crc32(audio)}}

    def from_frame(self, frame: Frame, *, incoming: bool) -> Raw:
        """A frame as it may be written, in one line of JSON: as it was if there is nothing to hide."""
        text = frame.encode(errors="replace") if isinstance(frame, str) else frame
        with suppress(*_UNREADABLE):
            tree = json.decode(text)
            if isinstance(tree, dict | list):
                kept = self.from_plain(tree)
                if not (incoming and self.audio):  # what goes out is known from what came in
                    kept = self._without_audio(kept)
                return Raw(text if kept == tree and b"\n" not in text and b"\r" not in text else json.encode(kept))
        return Raw(json.encode(self._from_unread(text)))

    def _from_text(self, text: str, *, may_be_json: bool) -> str:
        for value in self._values:
            text = without(text, value)
        if "://" in text:
            text = _IN_URL.sub(_starred, text)
        if may_be_json:
            with suppress(*_UNREADABLE):
                tree = json.decode(text)
                kept = self.from_plain(tree)
                return text if kept == tree else json.encode(kept).decode()
        return _QUOTED.sub(_starred, text) if '"' in text else text

    def _from_unread(self, frame: bytes) -> Any:  # noqa: ANN401 - JSON
        """Of what is no JSON object: of text all but what looks like a secret or audio; other bytes may be audio."""
        try:
            text = self._from_text(frame.decode(), may_be_json=False)
        except UnicodeDecodeError:
            return {BYTES: base64.b64encode(frame).decode()} if self.audio else self.audio_of(frame, keep=False)
        return text if self.audio else _QUOTED_AUDIO.sub(lambda found: "?" * len(found[0]), text)

    def _without_audio(self, value: Any) -> Any:  # noqa: ANN401 - JSON
        match value:
            case list():
                return [self._without_audio(each) for each in cast("list[Any]", value)]
            case dict():
                members = cast("dict[str, Any]", value)
                return {
                    name: self._audio_text(each)
                    if isinstance(each, str) and _is_audio(members, name)
                    else self._without_audio(each)
                    for name, each in members.items()
                }
            case _:
                return value

    def _audio_text(self, text: str) -> Any:  # noqa: ANN401 - JSON
        try:
            return self.audio_of(base64.b64decode(text, validate=True), keep=False)
        except binascii.Error:
            return "?" * len(text)  # as unreadable as it was


def filled_in(value: Any) -> Any:  # noqa: ANN401 - JSON
    """A frame's JSON with silence in the place of audio that was left out."""
    match value:
        case {"$audio": {"bytes": int(count)}}:
            return base64.b64encode(bytes(count)).decode()
        case dict():
            return {name: filled_in(each) for name, each in cast("dict[str, Any]", value).items()}
        case list():
            return [filled_in(each) for each in cast("list[Any]", value)]
        case _:
            return value


def _is_audio(members: dict[str, Any], name: str) -> bool:
    """Whether the string of this name is audio in base64, as providers write it."""
    match name:
        case "audio" | "pcm":
            return True
        case "delta":
            kind = str(members.get("type"))
            return "audio" in kind and "transcript" not in kind
        case "data":
            return any(str(members.get(each, "")).startswith("audio") for each in ("mimeType", "mime_type", "type"))
        case _:
            return False


def _starred(found: re.Match[str]) -> str:
    return found["name"] + stars(found["value"])
