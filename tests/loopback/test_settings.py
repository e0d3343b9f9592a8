"""A patch changes what is present, and nothing else; a refused one changes nothing."""

from typing import Any

import msgspec
import pytest

from rtactors.loopback.conversation import Rejected
from rtactors.loopback.settings import Settings
from rtactors.loopback.vad import TurnDetection
from rtactors.providers.openai import wire


def patch(settings: Settings, session: dict[str, Any], *, has_spoken: bool = False) -> None:
    given = msgspec.convert({"type": "realtime", **session}, wire.Session)
    settings.patch(given, has_spoken=has_spoken)


def state(settings: Settings) -> dict[str, Any]:
    return msgspec.to_builtins(settings.state("sess_1", 0))


def test_defaults_are_the_protocols() -> None:
    settings = Settings("m")
    assert settings.turn_detection == TurnDetection(threshold=0.5, prefix_padding_ms=300, silence_duration_ms=500)
    assert settings.creates_response
    assert settings.interrupts_response
    assert not settings.transcribes


def test_an_empty_patch_changes_nothing() -> None:
    settings = Settings("m")
    before = state(settings)
    patch(settings, {})
    assert state(settings) == before


@pytest.mark.parametrize(
    ("session", "path", "value"),
    [
        ({"instructions": "Be terse."}, ["instructions"], "Be terse."),
        ({"instructions": ""}, ["instructions"], ""),
        ({"output_modalities": ["text"]}, ["output_modalities"], ["text"]),
        ({"model": "m"}, ["model"], "m"),
        ({"audio": {"output": {"voice": "cedar"}}}, ["audio", "output", "voice"], "cedar"),
        ({"audio": {"input": {"turn_detection": None}}}, ["audio", "input", "turn_detection"], None),
        ({"audio": {"input": {"transcription": {"model": "w"}}}}, ["audio", "input", "transcription"], {"model": "w"}),
        (
            {"audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 0.2}}}},
            ["audio", "input", "turn_detection", "threshold"],
            0.2,
        ),
    ],
)
def test_one_change_and_only_that(session: dict[str, Any], path: list[str], value: object) -> None:
    settings = Settings("m")
    expected = state(settings)
    inner = expected
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    patch(settings, session)
    assert state(settings) == expected


@pytest.mark.parametrize(
    ("session", "has_spoken", "message"),
    [
        ({"model": "other"}, False, "The model of a session cannot be changed from 'm' to 'other'."),
        (
            {"audio": {"output": {"voice": "cedar"}}},
            True,
            "Cannot update a conversation's voice if assistant audio is present.",
        ),
        (
            {"output_modalities": ["audio", "text"]},
            False,
            "Invalid modalities: ['audio', 'text']. Supported combinations are: ['text'] and ['audio'].",
        ),
        (
            {"audio": {"input": {"format": {"type": "audio/pcmu"}}}},
            False,
            "This server takes and gives only 'audio/pcm' at 24000 Hz.",
        ),
        ({"type": "transcription"}, False, "This server has no transcription sessions."),
    ],
)
def test_refused(session: dict[str, Any], has_spoken: bool, message: str) -> None:  # noqa: FBT001 - a table's column
    settings = Settings("m")
    before = state(settings)
    with pytest.raises(Rejected) as refusal:
        patch(settings, {"instructions": "not taken either", **session}, has_spoken=has_spoken)
    assert refusal.value.message == message
    assert state(settings) == before


def test_the_same_voice_may_be_said_again() -> None:
    patch(Settings("m"), {"audio": {"output": {"voice": "marin"}}}, has_spoken=True)


def test_interruption_stands_without_creation() -> None:
    settings = Settings("m")
    patch(settings, {"audio": {"input": {"turn_detection": {"type": "server_vad", "create_response": False}}}})
    assert not settings.creates_response
    assert settings.interrupts_response


@pytest.mark.parametrize(("eagerness", "patience_ms"), [("high", 300), ("auto", 500), ("low", 900)])
def test_semantic_detection_is_a_silence(eagerness: str, patience_ms: int) -> None:
    settings = Settings("m")
    patch(settings, {"audio": {"input": {"turn_detection": {"type": "semantic_vad", "eagerness": eagerness}}}})
    assert settings.turn_detection == TurnDetection(silence_duration_ms=patience_ms)
