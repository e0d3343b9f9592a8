"""Actors and statecharts for realtime speech models: the record equals what was heard."""

from rtactors.errors import (
    ConfigurationError,
    ConnectionFailed,
    JournalConflict,
    JournalDamaged,
    JournalFailed,
    LimitReached,
    MicrophoneLost,
    ReplyFailed,
    RtactorsError,
    SessionClosed,
    SinkLost,
)
from rtactors.history import HistoryItem
from rtactors.interruption import Interruption
from rtactors.limits import Backoff, Bounds, Deadlines
from rtactors.reply import Reply
from rtactors.session import Session

__version__ = "0.1.0"

__all__ = [
    "Backoff",
    "Bounds",
    "ConfigurationError",
    "ConnectionFailed",
    "Deadlines",
    "HistoryItem",
    "Interruption",
    "JournalConflict",
    "JournalDamaged",
    "JournalFailed",
    "LimitReached",
    "MicrophoneLost",
    "Reply",
    "ReplyFailed",
    "RtactorsError",
    "Session",
    "SessionClosed",
    "SinkLost",
    "__version__",
]
