"""Sinks: where messages are heard; each alone knows the position of what it plays.

`from rtactors.sinks import WavSink` loads that sink alone, and only then.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtactors.sinks.memory import MemorySink
    from rtactors.sinks.paced import PacedSink
    from rtactors.sinks.speaker import Speaker
    from rtactors.sinks.wav import WavSink

__all__ = ["MemorySink", "PacedSink", "Speaker", "WavSink"]

_MODULES = {"MemorySink": "memory", "PacedSink": "paced", "Speaker": "speaker", "WavSink": "wav"}


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return getattr(import_module(f"rtactors.sinks.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
