"""The sink protocol: plays one segment (one message's audio) at a time and alone knows what was heard.

Every call returns at once and never blocks: a sink queues what it is given and must be able to drop all of it that the
device has not taken yet. Reports name their message and count *frames of that message*, never cumulative ones. After
`finish` (everything was played) or `clear` (stop now) exactly one `Finished` report ends the segment; it carries the
final position. Between segments a sink may play silence; silence counts for no message.
"""

from collections.abc import Callable
from typing import Protocol, TypeAlias, runtime_checkable

from msgspec import Struct


class Started(Struct, frozen=True, tag=True, gc=False):
    """The first frame of the message left the device."""

    message_id: str
    at: float
    """When, in seconds of `anyio.current_time()`."""


class Progress(Struct, frozen=True, tag=True, gc=False):
    """`frames` of the message have left the device so far. Optional; a lower bound. Captions are as fine as these."""

    message_id: str
    frames: int
    at: float | None = None
    """When they had, in seconds of `anyio.current_time()`; None if the sink can't say: about now."""


class Starved(Struct, frozen=True, tag=True, gc=False):
    """All that was written has been played, and `finish` was not called yet. Reported once per starvation."""

    message_id: str
    frames: int
    at: float | None = None
    """As in `Progress`."""


class Paused(Struct, frozen=True, tag=True, gc=False):
    message_id: str
    frames: int
    at: float | None = None
    """As in `Progress`."""


class Resumed(Struct, frozen=True, tag=True, gc=False):
    message_id: str


class Finished(Struct, frozen=True, tag=True, gc=False):
    """The segment is over: `frames` were heard, at `at` seconds of `anyio.current_time()`."""

    message_id: str
    frames: int
    at: float
    confirmed: bool = True
    """False if the device could not say; `frames` is then the last position that it did confirm."""


class Lost(Struct, frozen=True, tag=True, gc=False):
    """The device is gone; nothing more will be played or reported. The last position reported is the last confirmed."""

    reason: str


Report: TypeAlias = Started | Progress | Starved | Paused | Resumed | Finished | Lost


@runtime_checkable
class Sink(Protocol):
    """Where messages are heard. `rate` is in Hz and must equal the provider's output rate."""

    @property
    def rate(self) -> int: ...

    def begin(self, message_id: str) -> None:
        """Open the segment of a message. Raises RuntimeError if another is open."""
        ...

    def write(self, message_id: str, pcm: bytes) -> None:
        """Queue PCM16 of whole frames behind what was written before. Ignored for a segment that is not open."""
        ...

    def finish(self, message_id: str) -> None:
        """No more will be written: play what is queued, then report `Finished`."""
        ...

    def clear(self, message_id: str) -> None:
        """Stop now, drop what is queued, report `Finished` with what was heard. Ignored if not open."""
        ...

    def pause(self, message_id: str) -> None: ...

    def resume(self, message_id: str) -> None:
        """Go on at the exact frame where `pause` stopped."""
        ...

    async def run(self, report: Callable[[Report], None]) -> None:
        """Play until cancelled. `report` may be called from the event loop's thread only."""
        ...
