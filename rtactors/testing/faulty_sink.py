"""A sink with a device that misbehaves, around one that doesn't."""

from collections.abc import Callable

from rtactors.sinks.base import Finished, Lost, Report, Sink


class FaultySink:
    """Set `confirms` to False and no `clear` is ever answered; call `lose` and the device is gone."""

    def __init__(self, sink: Sink, *, confirms: bool = True) -> None:
        self.confirms = confirms
        self._sink = sink
        self._cleared: set[str] = set()
        self._report: Callable[[Report], None] | None = None
        self._lost: Lost | None = None

    def lose(self, reason: str = "the device was unplugged") -> None:
        """Report `Lost`, and nothing after it."""
        self._lost = Lost(reason)
        if self._report:
            self._report(self._lost)

    @property
    def rate(self) -> int:
        return self._sink.rate

    def begin(self, message_id: str) -> None:
        self._sink.begin(message_id)

    def write(self, message_id: str, pcm: bytes) -> None:
        self._sink.write(message_id, pcm)

    def finish(self, message_id: str) -> None:
        self._sink.finish(message_id)

    def clear(self, message_id: str) -> None:
        if not self.confirms:
            self._cleared.add(message_id)
        self._sink.clear(message_id)

    def pause(self, message_id: str) -> None:
        self._sink.pause(message_id)

    def resume(self, message_id: str) -> None:
        self._sink.resume(message_id)

    async def run(self, report: Callable[[Report], None]) -> None:
        def pass_on(news: Report) -> None:
            unanswered = isinstance(news, Finished) and news.message_id in self._cleared
            if not (self._lost or unanswered):
                report(news)

        self._report = report
        if self._lost:
            report(self._lost)
        await self._sink.run(pass_on)
