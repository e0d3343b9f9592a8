"""The settings of one session, as the server holds them, and what a client may change. Pure."""

from copy import deepcopy
from typing import Any

from msgspec import to_builtins

from rtactors.loopback.conversation import RATE, Rejected
from rtactors.loopback.faults import Json
from rtactors.loopback.vad import TurnDetection
from rtactors.providers.openai import wire

_PCM = {"type": "audio/pcm", "rate": RATE}
_SERVER_VAD: Json = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}
_SEMANTIC_VAD: Json = {
    "type": "semantic_vad",
    "eagerness": "auto",
    "create_response": True,
    "interrupt_response": True,
}
_PATIENCE_MS = {"high": 300, "medium": 500, "auto": 500, "low": 900}
"""We do not understand what was said: semantic detection is a silence, the longer the less eager."""


class Settings:
    """Starts with the defaults of the protocol; `patch` changes what is present and leaves the rest.

    `obeys`: whether what is said of interruptions and replies to speech counts.
    """

    def __init__(self, model: str, *, obeys: bool = True) -> None:
        self._obeys = obeys
        self._now: Json = {
            "model": model,
            "output_modalities": ["audio"],
            "instructions": "",
            "tools": [],
            "tool_choice": "auto",
            "parallel_tool_calls": True,
            "max_output_tokens": "inf",
            "truncation": "auto",
            "tracing": None,
            "prompt": None,
            "include": None,
            "audio": {
                "input": {
                    "format": _PCM,
                    "noise_reduction": None,
                    "transcription": None,
                    "turn_detection": _SERVER_VAD,
                },
                "output": {"format": _PCM, "voice": "marin", "speed": 1.0},
            },
        }

    def patch(self, given: wire.Session, *, has_spoken: bool) -> None:
        """Raises Rejected, and then nothing has changed. `has_spoken`: the session has given audio."""
        if isinstance(given, wire.TranscriptionSession):
            raise Rejected("invalid_value", "This server has no transcription sessions.", "session.type")
        changes: Json = to_builtins(given)
        del changes["type"]
        wanted = _merged(self._now, changes)
        self._check(wanted, has_spoken=has_spoken)
        detection: Json | None = wanted["audio"]["input"]["turn_detection"]
        if detection is not None:
            defaults = _SERVER_VAD if detection["type"] == "server_vad" else _SEMANTIC_VAD
            wanted["audio"]["input"]["turn_detection"] = {**defaults, **detection}
        self._now = wanted

    def _check(self, wanted: Json, *, has_spoken: bool) -> None:
        if wanted["model"] != self._now["model"]:
            message = f"The model of a session cannot be changed from '{self._now['model']}' to '{wanted['model']}'."
            raise Rejected("invalid_value", message, "session.model")
        check_modalities(wanted["output_modalities"], "session.output_modalities")
        audio = wanted["audio"]
        if has_spoken and audio["output"]["voice"] != self._now["audio"]["output"]["voice"]:
            message = "Cannot update a conversation's voice if assistant audio is present."
            raise Rejected("cannot_update_voice", message)
        for way in ("input", "output"):
            if {**_PCM, **(audio[way]["format"] or {})} != _PCM:
                message = f"This server takes and gives only 'audio/pcm' at {RATE} Hz."
                raise Rejected("invalid_value", message, f"session.audio.{way}.format")

    # ---------------------------------------------------------------------------------------------------- reading

    def state(self, session_id: str, expires_at: int | None) -> wire.SessionState:
        return wire.SessionState(id=session_id, expires_at=expires_at, **deepcopy(self._now))

    @property
    def instructions(self) -> str:
        return self._now["instructions"] or ""

    @property
    def output_modalities(self) -> list[str]:
        return self._now["output_modalities"]

    @property
    def max_output_tokens(self) -> int | str:
        return self._now["max_output_tokens"]

    @property
    def tools(self) -> list[Json]:
        return self._now["tools"] or []

    @property
    def tool_choice(self) -> str | Json:
        return self._now["tool_choice"] or "auto"

    @property
    def output_audio(self) -> Json:
        """Format and voice, as a response shows them."""
        output = self._now["audio"]["output"]
        return {"output": {"format": output["format"], "voice": output["voice"]}}

    @property
    def transcribes(self) -> bool:
        return self._now["audio"]["input"]["transcription"] is not None

    @property
    def turn_detection(self) -> TurnDetection | None:
        detection = self._detection
        if detection is None:
            return None
        if detection["type"] == "semantic_vad":
            return TurnDetection(silence_duration_ms=_PATIENCE_MS[detection["eagerness"] or "auto"])
        names = TurnDetection.__struct_fields__
        return TurnDetection(**{name: detection[name] for name in names if detection[name] is not None})

    @property
    def creates_response(self) -> bool:
        return self._detection is not None and not (self._obeys and self._detection["create_response"] is False)

    @property
    def interrupts_response(self) -> bool:
        return self._detection is not None and not (self._obeys and self._detection["interrupt_response"] is False)

    @property
    def _detection(self) -> Json | None:
        return self._now["audio"]["input"]["turn_detection"]


def check_modalities(modalities: list[str] | None, path: str) -> None:
    if modalities not in (["audio"], ["text"]):
        message = f"Invalid modalities: {modalities}. Supported combinations are: ['text'] and ['audio']."
        raise Rejected("invalid_value", message, path)


def _merged(old: Json, changes: Json) -> Json:
    """`audio` and its two halves are merged, since a part of them may be given; anything else is replaced."""
    merged: dict[str, Any] = {**old, **changes}
    for key in ("audio", "input", "output"):
        if key in changes and key in old:
            merged[key] = _merged(old[key], changes[key] or {})
    return merged
