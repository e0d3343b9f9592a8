"""The settings of a session as they go to the server, and what they make the server do."""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias, cast

import msgspec

from rtactors.errors import ConfigurationError
from rtactors.events import Setup
from rtactors.providers.base import Capabilities
from rtactors.providers.openai import wire
from rtactors.providers.openai.encode import function_tool

RATE: Final = 24_000
"""Hz: the only one at which OpenAI takes and gives PCM16."""
PCM: Final = wire.AudioFormat(type="audio/pcm", rate=RATE)

Json: TypeAlias = dict[str, Any]

_BY_DEFAULT: Final = {"create_response": True, "interrupt_response": True}
"""Said where the settings don't say it: an update may have switched them off."""


def settings(session: wire.RealtimeSession, extra: Mapping[str, Any]) -> Json:
    """`extra` over `session`, object by object. Null stays: on the wire it switches things off.

    Raises ConfigurationError for what isn't JSON.
    """
    try:
        return _merged(msgspec.to_builtins(session), msgspec.to_builtins(extra))
    except TypeError as error:
        raise ConfigurationError(f"a setting of the session can't be written as JSON: {error}") from None


def capabilities(session: Json) -> Capabilities:
    """Raises ConfigurationError if the audio isn't PCM16 at 24 kHz."""
    audio = _object(session.get("audio"))
    listens, speaks = _object(audio.get("input")), _object(audio.get("output"))
    if not listens.get("format") == speaks.get("format") == msgspec.to_builtins(PCM):
        raise ConfigurationError(f"extra_session may not change the audio format: it is PCM16 at {RATE} Hz")
    detection = _object(listens.get("turn_detection"))
    # Left out, both are true; and a server that isn't to reply still cancels on speech.
    return Capabilities(
        input_rate=RATE,
        output_rate=RATE,
        cancels_on_speech=bool(detection) and detection.get("interrupt_response") is not False,
        replies_to_speech=bool(detection) and detection.get("create_response") is not False,
        functions=frozenset(filter(None, (_object(tool).get("name") for tool in session.get("tools") or ()))),
        transcribes=bool(listens.get("transcription")),
        speech_padding=_ms(detection, "prefix_padding_ms", 300),
        speech_silence=_ms(detection, "silence_duration_ms", 500),
        turn_settings=bool(detection),
        says="by_request",
    )


def with_setup(session: Json, setup: Setup) -> Json:
    """`session`, with what `setup` asks for."""
    own = [_object(tool).get("name") for tool in session.get("tools") or ()]
    functions = [msgspec.to_builtins(function_tool(each)) for each in setup.functions if each.name not in own]
    over: Json = {"tools": [*(session.get("tools") or ()), *functions]} if functions else {}
    if not setup.server_acts and _detection(session):
        over["audio"] = {"input": {"turn_detection": {"interrupt_response": False, "create_response": False}}}
    return _merged(session, over)


def part_of(session: Json) -> Json:
    """What of `session` a `Setup` decides."""
    part: Json = {"type": session["type"], "tools": session.get("tools") or []}
    if detection := _detection(session):
        part["audio"] = {"input": {"turn_detection": {**_BY_DEFAULT, **detection}}}
    return part


def _ms(detection: Json, name: str, default: int) -> float:
    """In seconds. Semantic detection has neither: it goes by what is said."""
    value = detection.get(name, default)
    return value / 1000 if detection.get("type") == "server_vad" and isinstance(value, int | float) else 0.0


def _detection(session: Json) -> Json:
    return _object(_object(_object(session.get("audio")).get("input")).get("turn_detection"))


def secrets_of(session: Json) -> tuple[str, ...]:
    """What the tools of other servers are called with: tokens, and headers of any name."""
    tools = [_object(tool) for tool in session.get("tools") or ()]
    values = [value for tool in tools for value in (tool.get("authorization"), *_object(tool.get("headers")).values())]
    found = [value for value in values if isinstance(value, str)]
    return tuple(dict.fromkeys([*found, *(value.rpartition(" ")[2] for value in found)]))


def _merged(under: Json, over: Json) -> Json:
    merged = dict(under)
    for key, value in over.items():
        both_objects = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], cast("Json", value)) if both_objects else value
    return merged


def _object(value: object) -> Json:
    return cast("Json", value) if isinstance(value, dict) else {}
