"""The app's rule that decides for each message when the user may interrupt it."""

from rtactors import arguments, mail
from rtactors.channels import Inbox
from rtactors.companion import Companion, Company
from rtactors.interruption import InterruptionRule
from rtactors.limits import Bounds
from rtactors.session_events import MessageAnnounced, SessionEvent


class RuleCompanion(Companion):
    """Asks the rule as soon as a message is announced. What the rule raises ends the session."""

    def __init__(self, rule: InterruptionRule) -> None:
        self._rule = rule
        self._announced: Inbox[MessageAnnounced] = Inbox("interruption rule", Bounds().inbox)

    def hear(self, event: SessionEvent) -> None:
        if isinstance(event, MessageAnnounced):
            self._announced.send(event)

    async def run(self, company: Company) -> None:
        while True:
            announced = await self._announced.receive()
            policy = self._rule(announced)
            if policy is not None:
                company.tell(mail.SetInterruption(announced.message_id, arguments.interruption(policy)))
