"""The delegate as a session has it: it hears what is said, in passing, and lets its actor see to the rest."""

import anyio

from rtactors import arguments
from rtactors.channels import Inbox
from rtactors.companion import Companion, Company
from rtactors.delegation.actor import DelegationActor, DelegationMail, Stop
from rtactors.delegation.delegate import Delegate
from rtactors.delegation.transcript import Transcript
from rtactors.delegation.work import text_of
from rtactors.providers.base import Capabilities
from rtactors.session_events import (
    AgentSaid,
    FunctionCalled,
    HandoffRequested,
    MessageAnnounced,
    MessageText,
    SessionEvent,
    Transition,
    UserSaid,
    UserStartedSpeaking,
    UserTranscript,
    UserWrote,
)

_INBOX = 1024
"""Requests, and news of the agent, that wait for their turn: they are handled at once."""


class Delegation(Companion):
    """What goes on between a session and its delegate (`Session.delegate`)."""

    def __init__(self, delegate: Delegate, capabilities: Capabilities) -> None:
        arguments.instance("a delegate", delegate, Delegate, "Delegate(agent)")
        hands_off = capabilities.hands_off
        missing = [each for each in delegate.functions if each.name not in capabilities.functions]
        self.functions = () if hands_off else tuple(missing)
        self.calls = frozenset[str]() if hands_off else frozenset(each.name for each in delegate.functions)
        """The names of the functions whose calls are for it."""
        self._delegate = delegate
        self._transcript = Transcript()
        self._inbox: Inbox[DelegationMail] = Inbox("delegate", _INBOX)
        self._actor: DelegationActor | None = None

    @property
    def active(self) -> str | None:
        """The id of the request that the agent works on, or is about to; None if there is none."""
        return self._actor.active if self._actor else None

    def stop(self, reason: str = "the app wanted it so") -> None:
        """End what is under way: the agent is cancelled, and the model told so, but not asked to speak of it.

        Nothing happens if nothing is under way.
        """
        self._inbox.send(Stop(text_of("the reason", reason)))

    def hear(self, event: SessionEvent) -> None:
        """Words go into the transcript at once: what was said before a request is there when that is handled."""
        match event:
            case UserTranscript():
                self._transcript.add(event.item_id, "user", event.text)
            case MessageText():
                self._transcript.add(event.message_id, "assistant", event.text)
            case UserStartedSpeaking():
                self._transcript.begin(event.item_id, "user")
            case MessageAnnounced():
                self._transcript.begin(event.message_id, "assistant")
            case UserSaid() | UserWrote():
                self._transcript.complete(event.item_id, "user", event.text)
            case AgentSaid(message=said):
                self._transcript.complete(said.id, "assistant", said.heard_text)
            case Transition(chart="message", after="skipped"):
                self._transcript.complete(event.id, "assistant", "")
            case FunctionCalled() if event.name in self.calls:
                self._inbox.send(event)
            case HandoffRequested():
                self._inbox.send(event)
            case _:
                pass

    async def run(self, company: Company) -> None:
        self._actor = DelegationActor(self._inbox, company, self._delegate, self._transcript)
        try:
            await self._actor.run()
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(company.deadlines.close):
                await self._actor.leave()
