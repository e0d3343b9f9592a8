"""The floor: who is being heard, one message at a time, and who waits for that, in order."""

from rtactors import mail
from rtactors.actors.under_way import Message, Response


class Floor:
    """Nobody is given it while it is `held`: by the app, or because it is not known whether the user interrupts."""

    def __init__(self) -> None:
        self.speaking: Message | None = None
        self.app_holds = False
        self.user_holds = False
        self._waiting: list[Message] = []

    @property
    def held(self) -> bool:
        return self.app_holds or self.user_holds

    @property
    def first(self) -> Message | None:
        """Who has it, or else is the next to."""
        return self.speaking or next(iter(self._waiting), None)

    def enter(self, message: Message) -> None:
        """Behind what is waiting, but before later messages of its own response."""
        place = len(self._waiting)
        while (
            place
            and self._waiting[place - 1].response is message.response
            and (self._waiting[place - 1].index > message.index)
        ):
            place -= 1
        self._waiting.insert(place, message)
        self.give()

    def put_forward(self, message: Message) -> None:
        """Before what waits and is less urgent: what is ours need not keep to a server's order."""
        if message not in self._waiting:
            return
        self._waiting.remove(message)
        less_urgent = (each.response.priority < message.response.priority for each in self._waiting)
        place = next((place for place, less in enumerate(less_urgent) if less), len(self._waiting))
        self._waiting.insert(place, message)

    def leave(self, message: Message) -> None:
        """It has ended."""
        if self.speaking is message:
            self.speaking = None
        elif message in self._waiting:
            self._waiting.remove(message)

    def drop(self, response: Response) -> None:
        """None of its messages waits any more."""
        self._waiting = [message for message in self._waiting if message.response is not response]

    def hold(self, *, app: bool, user: bool) -> None:
        """What either of them holds goes on when neither does."""
        self.app_holds, self.user_holds = app, user
        if self.speaking:
            self.speaking.inbox.urgent(mail.SetPaused(self.held))
        else:
            self.give()

    def give(self) -> None:
        """To the next one, if it is free."""
        if self.speaking is None and self._waiting and not self.held:
            self.speaking = self._waiting.pop(0)
            self.speaking.inbox.urgent(mail.TakeFloor())
            self.tell_succeeded()

    def tell_succeeded(self) -> None:
        """Who has it learns that the server has moved on to a later message."""
        message = self.speaking
        if message and any(other.has_audio and other.index > message.index for other in message.response.open.values()):
            message.inbox.send(mail.SuccessorBegan())
