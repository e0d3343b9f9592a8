"""Voices of our own: text to speech, for what no server speaks.

`from rtactors.voices import EspeakVoice` loads that voice, and only then.
"""

from typing import TYPE_CHECKING

from rtactors.voices.base import Voice

if TYPE_CHECKING:
    from rtactors.voices.espeak import EspeakVoice

__all__ = ["EspeakVoice", "Voice"]


def __getattr__(name: str) -> object:
    if name == "EspeakVoice":
        from rtactors.voices.espeak import EspeakVoice  # noqa: PLC0415 (loaded when it is asked for)

        return EspeakVoice
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
