"""The errors that rtactors raises to an app. Each says what happened, to what, and what to do."""


class RtactorsError(Exception):
    """Base of the errors about what happens; for a call that makes no sense Python's own (TypeError, RuntimeError)."""


class ConfigurationError(RtactorsError):
    """A setting is missing or wrong (no key, bad URL, rates that don't fit)."""


class ConnectionFailed(RtactorsError):
    """The server could not be reached, or refused us."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable
        """True if the same attempt may succeed later: the cause is the network's or the server's, not the settings'."""


class SessionClosed(RtactorsError):
    """The session is over; the reason is in the message."""

    def __init__(self, message: str, *, connection_lost: bool = False) -> None:
        super().__init__(message)
        self.connection_lost = connection_lost
        """True if the server is gone, and no other could be had."""


class LimitReached(RtactorsError):
    """There is more of something than `Bounds` allows: the session ends, since nothing is left out of the record."""


class ReplyFailed(RtactorsError):
    """A requested reply did not come to be: refused, failed, timed out, abandoned."""


class SinkLost(RtactorsError):
    """The audio device is gone."""


class MicrophoneLost(RtactorsError):
    """The audio input device is gone."""


class JournalFailed(RtactorsError):
    """The journal could not be read or written."""


class JournalConflict(JournalFailed):
    """Somebody else writes this session's journal: another process, or another session object."""


class JournalDamaged(JournalFailed):
    """What the journal holds is not what was written to it."""
