"""Function calls in their turn: each is handed over when what the responses before its own say has been heard."""

from collections.abc import Callable

from rtactors import mail
from rtactors.actors.under_way import HAS_SLOT, Response
from rtactors.events import Item


class CallsInTurn:
    """`tell` is the context actor's inbox."""

    def __init__(self, tell: Callable[[mail.ContextMail], None]) -> None:
        self._tell = tell
        self._known: set[str] = set()  # ids of all that came
        self._waiting: dict[Response, list[Item]] = {}
        self._calling: list[Response] = []  # those that may have more calls than were handed over

    def take(self, response: Response, item: Item) -> None:
        """One has ended. It may run once it is complete, and only once, whatever the server repeats."""
        if item.call_id in self._known:
            return
        self._known.add(item.call_id)
        if response.out_of_band:
            return
        if response.unwanted:
            self._tell(mail.RemoveItem(item.id))
        elif item.status == "completed" and not response.interrupted:
            self._waiting.setdefault(response, []).append(item)
        else:
            self._tell(mail.CallCancelled(item))

    def hand_over(self, speaking: int | None) -> None:
        """Those of responses that began no later than the `speaking`th, the first that has something left to say."""
        for response in [each for each in self._waiting if speaking is None or each.order <= speaking]:
            for item in self._waiting.pop(response):
                self._tell(mail.CallCompleted(item, response.response_id))
            if not response.called:
                response.called = True
                self._calling.append(response)

    def cancel(self, which: Callable[[Response], bool]) -> None:
        """Their turn never came: they don't run, and the model is to know that."""
        for response in [each for each in self._waiting if which(each)]:
            for item in self._waiting.pop(response):
                self._tell(mail.CallCancelled(item))

    def see_ends(self) -> None:
        """Let who runs functions know when there are no more calls of a response."""
        for response in list(self._calling):
            if response.life.state not in HAS_SLOT and response not in self._waiting:
                self._calling.remove(response)
                self._tell(mail.CallsOver(response.response_id))
