"""How a speech model is told what its agent has to say, in either version of the protocol."""

from collections.abc import Callable
from typing import Final, Protocol

from rtactors import mail
from rtactors.companion import Company
from rtactors.delegation.tokens import head_and_tail
from rtactors.events import Item
from rtactors.reply import ReplyRecord

LONGEST: Final = 1000
"""Tokens of one text, of about four bytes each; of more the beginning and the end are kept."""

BACKEND: Final = "[BACKEND] "
"""What marks a message that is the agent's and not the user's."""
STEERED: Final = "This was sent to steer the previous background agent task."
FINISHED: Final = "Background agent finished. Use the preceding [BACKEND] messages as the result."
NOTHING: Final = "Nothing was asked: the request had no words. Nothing was done."
FAILED: Final = "The background agent failed, and did not finish the task: "
STOPPED: Final = "The background agent was stopped before it had finished: "
RESTARTED: Final = (
    "The background agent was interrupted by a restart, and nobody knows how far it got. Ask the user whether to begin "
    "again."
)
FINAL: Final = '"Agent Final Message":\n\n'
"""What the agent's last words begin with, in V1."""


class Telling(Protocol):
    """What the model can be told of a request that it made."""

    def acknowledge(self, request_id: str) -> None:
        """A further request went to the agent that works."""
        ...

    def progress(self, request_id: str, text: str) -> None: ...

    def answer(self, request_id: str, text: str) -> None: ...

    def conclude(self, request_id: str, *, told: bool) -> None:
        """There is no answer but what was `told` as progress, if anything was."""
        ...

    def failed(self, request_id: str, reason: str) -> None: ...

    def given_up(self, request_id: str, reason: str) -> None: ...

    def lost(self, request_id: str) -> None:
        """Another process had it, and has ended."""
        ...


class ByCall:
    """V2: a request is a function call. Progress is a message, the answer its output, and a reply is asked for.

    `speak_progress`: for each progress, too.
    """

    def __init__(self, company: Company, *, speak_progress: bool, watch: Callable[[ReplyRecord], None]) -> None:
        self._company = company
        self._speak_progress = speak_progress
        self._watch = watch  # nobody else holds the handle of a reply that is asked for here

    def acknowledge(self, request_id: str) -> None:
        self._output(request_id, STEERED)

    def progress(self, request_id: str, text: str) -> None:
        del request_id  # a message belongs to no call
        text = BACKEND + head_and_tail(text, LONGEST)
        request = self._request() if self._speak_progress else None
        item = Item(id=self._company.new_id("backend"), role="user", text=text)
        self._company.tell(mail.AddItem(item, then=request, by_agent=True))

    def answer(self, request_id: str, text: str) -> None:
        self._output(request_id, head_and_tail(text, LONGEST))

    def conclude(self, request_id: str, *, told: bool) -> None:
        self._output(request_id, FINISHED if told else NOTHING)

    def failed(self, request_id: str, reason: str) -> None:
        self._output(request_id, head_and_tail(FAILED + reason, LONGEST))

    def given_up(self, request_id: str, reason: str) -> None:
        self._company.tell(mail.AnswerCall(request_id, STOPPED + reason))

    def lost(self, request_id: str) -> None:
        self._company.tell(mail.AnswerCall(request_id, RESTARTED))

    def _output(self, request_id: str, output: str) -> None:
        self._company.tell(mail.AnswerCall(request_id, output))
        self._company.tell(self._request())

    def _request(self) -> mail.RequestReply:
        """Any reply that is asked for anyway will do."""
        record = ReplyRecord(self._company.new_id("reply"))
        self._watch(record)
        return mail.RequestReply(record, joins=True)


class ByHandoff:
    """V1: a request is an event, and all that is said about it is appended to it; the model speaks as it sees fit."""

    def __init__(self, company: Company) -> None:
        self._company = company

    def acknowledge(self, request_id: str) -> None:
        """It has no words for that."""

    def progress(self, request_id: str, text: str) -> None:
        self._company.tell(mail.AppendHandoff(request_id, head_and_tail(text, LONGEST)))

    def answer(self, request_id: str, text: str) -> None:
        self.progress(request_id, FINAL + head_and_tail(text, LONGEST - 8))

    def conclude(self, request_id: str, *, told: bool) -> None:
        if not told:
            self.answer(request_id, NOTHING)

    def failed(self, request_id: str, reason: str) -> None:
        self.answer(request_id, FAILED + reason)

    def given_up(self, request_id: str, reason: str) -> None:
        """As for what nobody works on any more: nothing is said."""

    def lost(self, request_id: str) -> None:
        """A handoff doesn't outlive its connection."""
