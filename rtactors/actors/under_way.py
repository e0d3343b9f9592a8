"""What the response actor remembers of a response, and of a message, while they are under way."""

from typing import Literal

from rtactors import events, mail
from rtactors.interruption import Interruption
from rtactors.reminders import Reminder
from statecharts.chart import Life
from statecharts.response import RESPONSE

_PLAIN = events.ResponseOptions()

HAS_SLOT = RESPONSE.group("active", "interrupted")
"""The states in which a default response has the one slot that a server has for them."""
_SAID = RESPONSE.group("requested", "active", "finishing")


class Message:
    """What this actor remembers of a message."""

    __slots__ = ("has_audio", "id", "inbox", "index", "policy", "response")

    def __init__(self, opened: mail.MessageOpened, response: "Response") -> None:
        self.id = opened.event.item.id
        self.index = opened.event.output_index
        self.inbox = opened.inbox
        self.response = response
        self.has_audio = False
        self.policy: Interruption | None = None

    @property
    def ours(self) -> bool:
        """Whether no server makes it."""
        return self.response.ours


class Response:
    """What this actor remembers of a response."""

    __slots__ = (
        "broken_off",
        "called",
        "cut",
        "deadline",
        "expected",
        "failure",
        "interrupted",
        "known",
        "life",
        "messages",
        "open",
        "operations",
        "order",
        "ours",
        "out_of_band",
        "output",
        "policy",
        "refusals",
        "requests",
        "response_id",
        "silent_since",
        "speech",
        "status",
        "unwanted",
    )

    def __init__(self, life: Life, *requests: mail.RequestReply) -> None:
        self.life = life
        self.requests = [*requests]  # those that it answers; none if the server began it by itself
        self.known: set[str] = set()  # of its requests those that what the server holds says all about
        self.policy = requests[0].interruption if requests else None
        self.response_id = ""
        self.order = 0  # of the server's beginning it
        self.output: tuple[events.Item, ...] = ()
        self.ours = any(request.ours for request in requests)  # no server makes it
        self.out_of_band = any(request.options.out_of_band for request in requests)
        self.open: dict[str, Message] = {}  # its messages that have not ended
        self.messages: list[Message] = []  # all: an ended one still counts what comes
        self.operations: list[str] = []
        self.expected = False  # asked for, and the server has neither started nor refused it
        self.refusals = 0
        self.deadline: Reminder | None = None
        self.interrupted = False
        self.broken_off = ""  # why its server did not go on with it
        self.cut = False  # by the server, because the user spoke, though they may not interrupt it, or have not
        self.called = False  # a function call of it was handed over
        self.unwanted = False  # given up: what comes of it leaves nothing
        self.speech: Literal["none", "begun", "over"] = "none"
        self.silent_since = 0.0
        self.status = ""
        self.failure: str | None = None

    @property
    def is_rest(self) -> bool:
        """Whether it is asked for again: its beginning was heard, and then its server did not go on."""
        return any(request.attempt > 1 for request in self.requests)

    @property
    def rest_to_come(self) -> bool:
        """Whether its rest is asked for, before anything else, once its beginning was heard."""
        return self.cut and not self.interrupted

    @property
    def under_policy(self) -> bool:
        """Whether it is being said, or about to be."""
        if self.life.state == "waiting":
            return self.is_rest
        return not self.out_of_band and self.life.state in _SAID

    @property
    def priority(self) -> int:
        return max((request.priority for request in self.requests), default=0)

    def can_join(self, request: mail.RequestReply) -> bool:
        """Whether this one, which waits, can answer `request` as well."""
        asked = [*self.requests, request]
        alike = len({each.attempt for each in asked}) == 1 and all(each.options == _PLAIN for each in asked)
        wanted_alike = len({(each.priority, each.interruption) for each in asked}) == 1
        one_question = sum(not each.joins for each in asked) <= 1
        return alike and wanted_alike and one_question

    @property
    def will_do_with_any(self) -> bool:
        """Whether a reply that the server begins by itself answers this one, which waits, as well."""
        plain = not self.is_rest and not self.priority and all(each.interruption is None for each in self.requests)
        return plain and all(each.joins and each.reply.id in self.known for each in self.requests)

    @property
    def generating(self) -> bool:
        """Whether it has the one slot that the server has for default responses, as far as we know."""
        return not self.out_of_band and (self.expected or self.rest_to_come or self.life.state in HAS_SLOT)
