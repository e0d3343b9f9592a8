"""Journals: where the record of a conversation outlives its process.

`from rtactors.journal import SqliteJournal` loads that journal alone, and only then. `salvage` is for damaged ones.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtactors.journal.memory import MemoryJournal
    from rtactors.journal.recall import salvage
    from rtactors.journal.sqlite import SqliteJournal

__all__ = ["MemoryJournal", "SqliteJournal", "salvage"]

_MODULES = {"MemoryJournal": "memory", "SqliteJournal": "sqlite", "salvage": "recall"}


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return getattr(import_module(f"rtactors.journal.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
