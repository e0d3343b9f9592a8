"""How long anything is waited for, and how much is kept: every wait ends, everything is bounded."""

import math
import random
from collections.abc import Callable

from msgspec import Struct

KIB = 1024
MIB = 1024 * KIB


class Deadlines(Struct, frozen=True, kw_only=True):
    """In seconds. After each of them something defined happens; nothing is waited for without one.

    Raises TypeError and ValueError for what is no number of seconds, 0 or more.
    """

    connect: float = 15.0
    """From opening the socket to a session that is set up; then ConnectionFailed."""
    keepalive: float = 20.0
    """How often the server is asked for a sign of life, and how long it may take to give one, or the network to take a
    frame; then the connection counts as lost. So a network that has gone without a word is found out within twice
    that."""
    start: float = 15.0
    """From asking for a reply to the server starting it; then the request is given up (ReplyFailed)."""
    busy: float = 15.0
    """How long a request is sent again, ever less often, to a server that is busy with something we don't know of."""
    stop: float = 5.0
    """From an interruption to the server's end of generation; then it is cancelled again, then no longer waited for."""
    silence: float = 60.0
    """Without anything new for a response that is being generated (a model that thinks says nothing); then it is
    cancelled."""
    speech: float = 30.0
    """After which a user who began to speak no longer holds up requests, though a server that gets no more audio never
    said that they stopped."""
    own_reply: float = 1.0
    """What a server that replies to speech by itself gets to begin, before a waiting request is sent."""
    acknowledge: float = 5.0
    """From sending an operation to its acknowledgement; then it is sent once more, then reported as unconfirmed."""
    sink: float = 1.0
    """From when the sink should have finished a segment to when its last confirmed position is taken."""
    text: float = 1.0
    """From the end of a message's audio to the end of its text; then it counts as it is."""
    voice: float = 5.0
    """For a voice of ours to give the next piece of what it speaks; then the rest of that message is shown."""
    journal: float = 10.0
    """For the journal to take what it is given; then the session ends with JournalFailed."""
    close: float = 3.0
    """For each step of closing a session."""
    renew: float = 120.0
    """How long before the provider's time limit the next connection is made (at most a quarter of what is left)."""
    change: float = 10.0
    """How long before that limit it takes over, even if something is being said."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            seconds: object = getattr(self, name)
            if not isinstance(seconds, int | float):
                raise TypeError(f"Deadlines.{name} is in seconds, a number, not {seconds!r}")
            if math.isnan(seconds) or seconds < 0:
                raise ValueError(f"Deadlines.{name} is in seconds, 0 or more, not {seconds!r}")


class Bounds(Struct, frozen=True, kw_only=True):
    """What is kept at most. Raises TypeError and ValueError for what is no number, 1 or more."""

    message_bytes: int = 32 * MIB
    """Audio of one message: 11.6 minutes at 24 kHz. What comes beyond it is not played: the message ends there, and the
    server's item is cut to what was heard."""
    audio: int = 256 * MIB
    """Bytes of audio that came for messages which are not over, whether heard or not: an hour and a half, at 24 kHz.
    Here and with the next four, what there is more of ends the session, with LimitReached."""
    text: int = MIB
    """Characters of one message. A longer text of the app's is refused (ValueError)."""
    texts: int = 64 * MIB
    """Characters of all items of the conversation: a thousand hours of talk."""
    items: int = 100_000
    """Items of the conversation, also those that were removed; and messages that a server made on one connection."""
    open: int = 256
    """Responses that a server has begun and not ended, and messages that are not over."""
    inbox: int = 4096
    """Messages in an actor's inbox. An actor that is so far behind is broken: the session ends."""
    user_audio: int = 512 * KIB
    """Bytes of the user's voice that are kept for a new connection, should this one be lost: the last 10.2 s, at 24 kHz
    and in pieces of 20 ms."""
    commands: int = 65_536
    """Messages in the transport's inbox, which a slow network holds up; beyond that the session ends as well."""
    input: int = 500
    """Pieces of the user's audio that wait for a slow network, 10 s of 20 ms each; then `Session.send_audio` waits."""
    offered: int = 256
    """Pieces of the user's audio that wait for a slow network; then `Session.offer_audio` drops one more."""
    calls: int = 8
    """Functions of `Session(tools=...)` that run at once; further calls wait for a place."""
    events: int = 4096
    """Events that wait for one slow reader of `Session.events`; then its oldest are dropped, and it is told."""
    retold: int = 1000
    """Items of the history that a new connection is told, the newest: more than a model takes into account."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            number: object = getattr(self, name)
            if not isinstance(number, int):
                raise TypeError(f"Bounds.{name} is a number, an int, not {number!r}")
            if number < 1:
                raise ValueError(f"Bounds.{name} is 1 or more, not {number!r}")


class Backoff(Struct, frozen=True, kw_only=True):
    """How a lost connection is made again: the pauses between the attempts, in seconds, and for how long."""

    first: float = 0.5
    """The longest pause before the first attempt; doubled with each one that fails."""
    most: float = 10.0
    """No pause is longer."""
    give_up: float = 120.0
    """So long after the loss no further attempt is made, and the session ends."""
    steady: float = 30.0
    """A connection that lasted so long was sound: the pauses begin anew after it."""
    luck: Callable[[], float] = random.random
    """Draws each pause, as a share (0 to 1) of the longest: a server that restarts is not met by all at once."""

    def pause(self, attempt: int) -> float:
        """Seconds before the `attempt`th attempt, from 1."""
        return self.luck() * min(self.most, self.first * 2.0 ** min(attempt - 1, 60))
