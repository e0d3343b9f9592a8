"""The chat-context actor: writes the ledger, and reconciles the server's history with it.

It alone writes the ledger. Whatever it learns of an item (announced, heard, cut, removed, acknowledged, refused) it
compares what the server should hold with what the item's chart says it holds or is about to; the chart sends the
difference, once. The work is that of the one item that changed, however long the conversation is.
"""

import anyio
from msgspec import Struct
from msgspec.structs import replace

from rtactors import events, mail
from rtactors.actor import ReactiveActor
from rtactors.actors.scribe import Scribe
from rtactors.errors import LimitReached, SessionClosed
from rtactors.events import Item
from rtactors.history import HistoryItem
from rtactors.ledger import Entry, Ledger, item_of
from rtactors.operations import operation_id, own_id
from rtactors.reminders import Reminder
from rtactors.reply import ReplyRecord
from rtactors.ring import Ring, Surroundings
from rtactors.session_events import (
    AgentSaid,
    CallsComplete,
    FunctionCalled,
    HandoffRequested,
    Problem,
    UserSaid,
    UserTranscript,
    UserWrote,
)
from statecharts import item as chart
from statecharts.item import ITEM, ItemEvent
from statecharts.message import ChatMessage, Delete, Rewrite, Truncate


class _Operation(Struct, frozen=True):
    """What was sent for an item and not answered yet."""

    id: str
    entry: Entry
    attempt: int
    audio_end_ms: int
    """Where it cuts, if it does."""
    deadline: Reminder


CALL_CANCELLED = "This call was cancelled. It was not run."
"""What the model is told of a function call that broke off, or whose turn never came."""

_IN_FLIGHT = ITEM.group("creating", "condemned", "truncating", "deleting", "rewriting")
"""The states of an item in which an operation of ours may be under way."""

_TO_BE_REWRITTEN = ITEM.group("rewriting", "unconfirmed")
"""The states of an item that was to be written anew, in which nobody has said that it is deleted."""

_UNANNOUNCED = ITEM.group("unknown", "creating", "condemned")
"""The states of an item of which we were not told that the server holds it."""


class ContextActor(ReactiveActor[mail.ContextMail]):
    """Keeps the record. `ledger` is for others to read."""

    def __init__(self, ring: Ring, surroundings: Surroundings) -> None:
        super().__init__(ring.context, surroundings.publish, surroundings.reminders)
        self.ledger = Ledger(surroundings.cut_mark)
        self._scribe = Scribe(ring.journal, surroundings.publish)
        self._ring = ring
        self._capabilities = surroundings.capabilities
        self._deadlines = surroundings.deadlines
        self._operations: dict[str, _Operation] = {}
        self._operation = 0
        self._replies: dict[str, list[ReplyRecord]] = {}  # by response id, those that are not over
        self._asked: dict[str, str] = {}  # item id -> id of the reply that is to answer it, until it is acknowledged
        self._unknown: dict[str, list[Entry]] = {}  # by the id of a reply that joins: what is on its way
        self._quiet: list[anyio.Event] = []
        self._items = 0
        self._bounds = surroundings.bounds
        self._connected = False
        self._turns: dict[str, bytes] = {}  # while a server is told the history: those that nobody could write down

    def resume(self, ledger: Ledger, last_id: int) -> None:
        """Begin with what a journal holds; the ids of new items have numbers above `last_id`."""
        ledger.cut_mark = self.ledger.cut_mark
        ledger.lose()
        self.ledger = ledger
        self._scribe.remember(ledger)
        self._items = last_id

    def handle(self, message: mail.ContextMail) -> None:
        match message:
            case events.ItemAdded():
                self._on_added(message)
            case events.ItemDone():
                self._on_item_done(message.item)
            case events.ItemTruncated():
                self._on_acknowledged(message.item_id, chart.Truncated(message.audio_end_ms))
            case events.ItemDeleted():
                self._on_acknowledged(message.item_id, chart.Deleted())
            case events.InputCommitted():
                self._check_unused(message.item_id)
                if message.item_id not in self.ledger:  # from now on the server holds it, whoever says so next
                    self._on_added(events.ItemAdded(Item(id=message.item_id, role="user"), message.previous_item_id))
            case events.InputTranscript():
                self._on_transcript(message)
            case events.InputTranscriptFailed():
                what = f"the user's turn {message.item_id} could not be transcribed: {message.message}"
                self.publish(Problem(kind="other", message=what, operation=message.item_id))
            case events.HandoffRequested():
                self._scribe.acknowledge(HandoffRequested(message.handoff_id, message.item_id, message.text))
            case events.ProviderError():
                self._on_refused(message)
            case mail.ItemAnnounced():
                self._check_unused(message.item.id)
                entry = self._know(message.item)
                entry.response_id = message.response_id
                entry.retold = entry.retold or message.ours
                self.ledger.see(entry)
            case mail.Generated():
                self._on_generated(message)
            case mail.HeardSoFar():
                self._scribe.heard(message)
            case mail.CallCompleted():
                self._on_call(message.item, message.response_id)
            case mail.CallsOver():
                self._scribe.acknowledge(CallsComplete(message.response_id))
            case mail.CallCancelled():
                self._on_call_cancelled(message.item)
            case Truncate():
                entry = self.ledger[message.message_id]
                entry.part, entry.part_from_ms = message.part, message.part_from_ms
                self._keep(entry, message.heard_ms)
            case Rewrite():
                self._keep_text(self.ledger[message.message_id], message.text)
            case Delete():
                self._keep(self.ledger[message.message_id], 0)
            case ChatMessage():
                self._on_said(message)
            case mail.AddItem():
                self._add(message.item, message.after, message.then)
                if message.item.role == "user" and not message.by_agent:
                    self._scribe.acknowledge(UserWrote(message.item.id, message.item.text, anyio.current_time()))
            case mail.RemoveItem():
                if entry := self.ledger.get(message.item_id):
                    self._keep(entry, 0)
            case mail.SetHistory():
                self._on_set_history(message.items)
            case mail.AnswerCall():
                self._on_answer(message)
            case mail.AppendHandoff():
                self._operation += 1
                operation = operation_id("context", self._operation)
                self._send(events.AppendHandoff(operation, message.handoff_id, message.text))
            case mail.ReplyStarted():
                self._forget(message.reply)  # it is asked for again
                self._replies.setdefault(message.response_id, []).append(message.reply)
                message.reply.start(message.response_id)
                for entry in map(self.ledger.get, message.message_ids):
                    if entry and entry.spoken:
                        message.reply.said.append(entry.project)
            case mail.ReplyHeard():
                message.reply.heard.set()
            case mail.ReplyOver():
                self._forget(message.reply)
                self._scribe.acknowledge(message)
            case mail.ConnectionLost():
                self._on_connection_lost()
            case mail.ConnectionReady():
                self._on_connection_ready(message.turns)
                self._ring.turn.send(message)
            case mail.ConnectionEnded():
                self._connected = False
                for operation in list(self._operations.values()):
                    self._end(operation)
            case mail.WhenAcknowledged():
                self._quiet.append(message.quiet)
            case mail.WhenDurable():
                self._scribe.acknowledge(message.durable)
            case mail.WhenSent():
                self._ring.transport.urgent(message)
            case mail.OperationDeadline():
                self._on_deadline(message.operation_id)
            case mail.RequestReply(joins=True):
                self._ring.turn.send(message)
                creating = (operation.entry for operation in reversed(self._operations.values()))
                self._unknown[message.reply.id] = [entry for entry in creating if entry.life.state == "creating"]
            case _:
                self._ring.turn.send(message)  # steering, behind what was asked before it
        self._see_known()
        self._check_bounds()
        if self._quiet and not self._operations:
            for quiet in self._quiet:
                self._scribe.acknowledge(quiet)
            self._quiet.clear()
        self._scribe.hand_over()

    def _check_bounds(self) -> None:
        """Nothing is ever left out of the record: if there is no end to it, the session has one."""
        bounds, ledger = self._bounds, self.ledger
        if len(ledger) > bounds.items:
            raise LimitReached(f"the conversation has more than {bounds.items} items (Bounds.items): begin another one")
        if ledger.characters > bounds.texts:
            what = f"the conversation has more than {bounds.texts} characters (Bounds.texts)"
            raise LimitReached(f"{what}: begin another one")

    # -- what the server says

    def _on_added(self, event: events.ItemAdded) -> None:
        entry = self._know(event.item, event.previous_item_id)
        if self.ledger.place(entry, event.previous_item_id):
            self._scribe.moved(entry)
        self._asked.pop(entry.item.id, None)
        self._fire(entry, chart.Added())
        self._reconcile(entry)

    def _on_item_done(self, item: Item) -> None:
        entry = self._know(item)
        if item.role != "assistant" or item.kind != "message":  # of messages their actor tells, who saw them generated
            entry.item = replace(item, text=item.text or entry.item.text)
        if entry.life.state in _UNANNOUNCED:  # the news that it is there got lost: this is the same news
            self._fire(entry, chart.Added())
            self._reconcile(entry)

    def _on_acknowledged(self, item_id: str, event: chart.Truncated | chart.Deleted) -> None:
        entry = self.ledger.get(item_id)
        if entry is None:
            return
        if isinstance(event, chart.Deleted) and entry.reworded and entry.life.state in _TO_BE_REWRITTEN:
            self._fire(entry, chart.Deleted(again=True, after=self.ledger.anchor(entry)))
            return
        if isinstance(event, chart.Deleted) and entry.reworded and entry.life.state == "creating":
            return  # of the one before: nobody has heard of the new one yet
        self._fire(entry, event)
        if isinstance(event, chart.Deleted) and entry.keep_ms != 0:
            what = f"item {item_id} was deleted on the server, though not by us; the history here keeps it"
            self.publish(Problem(kind="other", message=what, operation=item_id))

    def _on_transcript(self, event: events.InputTranscript) -> None:
        entry = self._know(Item(id=event.item_id, role="user"))
        if event.final:
            entry.item = replace(entry.item, text=event.text)
            self._scribe.acknowledge(UserSaid(event.item_id, event.text, anyio.current_time()))
        else:
            self.publish(UserTranscript(event.item_id, event.text, anyio.current_time()))

    def _on_refused(self, error: events.ProviderError) -> None:
        operation = self._operations.get(error.operation_id or "")
        if operation is None:
            return  # about something that has ended otherwise
        entry, attempt = operation.entry, operation.attempt
        is_create = entry.life.state in _UNANNOUNCED
        if entry.life.state == "creating" and not entry.away:
            self._scribe.touch(entry).keep_ms = 0  # it was never said
        kind = error.kind if error.kind in ("absent", "too_short") else "other"
        after = self.ledger.anchor(entry) if entry.life.state == "rewriting" else None
        refused = chart.Refused(kind, error.message, attempt, error.limit_ms, entry.away, after)
        self._fire(entry, refused, attempt=attempt + 1)
        self._end(operation)
        if is_create and (asked := self._asked.pop(entry.item.id, None)):
            self._ring.turn.send(mail.StopReply(asked, f"its question was refused: {error.message}"))

    def _on_deadline(self, operation_id: str) -> None:
        operation = self._operations.get(operation_id)
        if operation is None:
            return  # it has ended while this was on its way
        expired = chart.Expired(operation.attempt, operation.audio_end_ms)
        self._fire(operation.entry, expired, attempt=operation.attempt + 1)
        self._end(operation)

    # -- what was heard

    def _on_generated(self, generated: mail.Generated) -> None:
        entry = self._scribe.touch(self.ledger[generated.message_id])
        entry.generated_ms = max(entry.generated_ms, generated.ms)
        entry.item = replace(entry.item, text=generated.text or entry.item.text, status=generated.status)
        if entry.spoken is None or entry.keep_ms == 0:
            return
        if entry.spoken.interrupted and generated.part > entry.part and entry.keep_text is None:
            entry.keep_text = entry.spoken.heard_text  # to cut one part is not enough any more
        if entry.keep_text is not None:
            self._reconcile(entry)
        elif entry.spoken.heard_ms < entry.generated_ms and not entry.spoken.voiced:
            self._keep(entry, entry.spoken.heard_ms)

    def _on_said(self, spoken: ChatMessage) -> None:
        entry = self._scribe.touch(self.ledger[spoken.message_id])
        entry.spoken = spoken
        for reply in self._replies.get(entry.response_id or "", ()):
            reply.said.append(entry.project)
        self._scribe.acknowledge(AgentSaid(entry.project()))
        if entry.retold and self._connected and entry.in_history:  # the server that made it is gone
            self._tell(entry, self.ledger.anchor(entry))

    def _forget(self, reply: ReplyRecord) -> None:
        """Nothing more is said in it."""
        replies = self._replies.get(reply.response_id or "", [])
        if reply in replies:
            replies.remove(reply)
        if not replies:
            self._replies.pop(reply.response_id or "", None)

    # -- what the app wants

    def _add(self, item: Item, after: str | None, then: mail.RequestReply | None = None) -> None:
        if item.id in self.ledger:
            self._on_taken(item.id, then)
            return
        entry = self._scribe.touch(self.ledger.add(item, after))
        entry.handed_over = True
        if self._connected:
            self._fire(entry, chart.Create(self.ledger.anchor(entry) if entry.next else None))
        if then:
            self._asked[item.id] = then.reply.id
            self._ring.turn.send(then)

    def _on_taken(self, item_id: str, then: mail.RequestReply | None) -> None:
        """A server that gives its own items our ids: what was to be added can't be told from what it holds."""
        what = f"item {item_id} was not added: the server has given its id to another one"
        self.publish(Problem(kind="other", message=what, operation=item_id))
        if then:
            then.reply.resolve("failed", interrupted=False, failure=what)

    def _on_call(self, item: Item, response_id: str) -> None:
        entry = self._know(item)
        entry.item = item
        entry.handed_over = True
        self.ledger.unanswered[item.call_id] = item.id
        self._scribe.acknowledge(FunctionCalled(item.call_id, item.name, item.arguments, response_id=response_id))

    def _on_call_cancelled(self, item: Item) -> None:
        entry = self._know(item)
        entry.item = item
        entry.cancelled = True
        self._reconcile(entry)

    def _on_answer(self, answer: mail.AnswerCall) -> None:
        call_item = self.ledger.unanswered.pop(answer.call_id, None)
        if call_item is None:
            what = f"function call {answer.call_id} is unknown or was answered before; this output was not sent"
            self.publish(Problem(kind="other", message=what, operation=answer.call_id))
            return
        item = Item(id=self._new_id(), kind="function_call_output", call_id=answer.call_id, output=answer.output)
        self._add(item, call_item)

    def _on_set_history(self, items: tuple[HistoryItem, ...]) -> None:
        """Remove what is not among `items`, add what is new; what is there already stays as it is, cuts included."""
        kept = {item.id for item in items if self._unchanged(item)}
        for entry in list(self.ledger):
            if entry.in_history and entry.item.id not in kept:
                self._keep(entry, 0)
        after = ""
        for item in items:
            if item.id in kept:
                after = item.id
            else:
                # An id is never used twice: what had it may still be on its way out.
                new_id = item.id if item.id and item.id not in self.ledger else self._new_id()
                self._add(item_of(item, new_id), after)
                after = new_id

    def _see_known(self) -> None:
        """Let the response actor know when a reply that the server begins by itself will do for one that joins."""
        for reply_id, entries in list(self._unknown.items()):
            while entries and entries[-1].life.state != "creating":  # what is known is not looked at again
                entries.pop()
            if not entries:
                del self._unknown[reply_id]
                if self._connected:
                    self._ring.turn.send(mail.ConversationKnown(reply_id))

    def _unchanged(self, item: HistoryItem) -> bool:
        entry = self.ledger.get(item.id)
        return entry is not None and entry.in_history and entry.heard_text == item.heard_text

    # -- one server after the other

    def _check_unused(self, item_id: str) -> None:
        """What is new has an id of its own, also at the next server; else the record could hold only one of the two."""
        entry = self.ledger.get(item_id)
        if entry and entry.retold:
            raise SessionClosed(
                f"this server calls a new item {item_id}, as another one was called on a connection before: the record "
                "can't hold both. Begin a session for each connection (reconnect=None)"
            )

    def _on_connection_lost(self) -> None:
        """What the server held is gone, and what was on its way there. What is being heard goes on."""
        self._connected = False
        for operation in list(self._operations.values()):
            self._end(operation)
        nobodys: set[str] = set()  # calls that the app never had: nobody completes them any more
        self.ledger.lose()
        for entry in self.ledger:
            if entry.item.kind == "function_call" and not entry.handed_over:
                nobodys.add(entry.item.call_id)
            if entry.of_call in nobodys:  # the call, and behind it the answer that it was cancelled
                self._scribe.touch(entry).keep_ms = 0
            self._fire(entry, chart.Lost())
        self._ring.transport.urgent(mail.LossKnown())

    def _on_connection_ready(self, turns: dict[str, bytes]) -> None:
        """Tell a server that knows nothing what was said, in order; what is still being heard is told when it ends."""
        self._connected = True
        self._turns = turns
        unknown = [entry for entry in self.ledger if entry.life.state == "unknown" and entry.in_history]
        newest = unknown[-self._bounds.retold :]
        older_calls = {entry.item.call_id for entry in unknown[: -len(newest)] if entry.item.call_id}
        for entry in unknown:
            entry.retold = True
            self.ledger.see(entry)
        for entry in newest:
            if entry.item.kind != "function_call_output" or entry.item.call_id not in older_calls:
                self._tell(entry, None)  # servers refuse an output without its call
        self._turns = {}
        self._ring.transport.urgent(mail.HistoryTold())

    def _tell(self, entry: Entry, after: str | None) -> None:
        """Let the server hold what was said, or heard, of it elsewhere."""
        told = entry.told(self._turns.get(entry.item.id, b""))
        if told.kind != "message" or told.text or told.audio:
            self._fire(entry, chart.Create(after))
        else:
            why = "no word of it was heard" if entry.item.text else "its words are not known (is transcription on?)"
            what = f"the new connection is not told of {told.id}: {why}"
            self.publish(Problem(kind="other", message=what, operation=told.id))

    # -- reconciling

    def _know(self, item: Item, after: str | None = None) -> Entry:
        """The entry of an item, which begins here if it is new."""
        return self._scribe.touch(self.ledger.get(item.id) or self.ledger.learn(item, after))

    def _keep(self, entry: Entry, heard_ms: int) -> None:
        self._scribe.touch(entry)
        entry.keep_ms = heard_ms if entry.keep_ms is None else min(entry.keep_ms, heard_ms)
        self._reconcile(entry)

    def _keep_text(self, entry: Entry, text: str) -> None:
        entry.keep_text = text
        self._reconcile(entry)

    def _reconcile(self, entry: Entry) -> None:
        """Let the server hold what it should of this item. What is on its way counts as done."""
        if entry.keep_ms == 0 and self._capabilities.deletes:
            self._fire(entry, chart.Drop())
        elif entry.cancelled and entry.on_server:
            entry.cancelled = False  # once
            output = Item(
                id=self._new_id(), kind="function_call_output", call_id=entry.item.call_id, output=CALL_CANCELLED
            )
            self._add(output, entry.item.id)
        elif entry.away:
            pass  # this server is told of it what was heard, or has been
        elif entry.keep_text is not None:
            # While the server still writes it, nobody knows what comes of another one with its id.
            if entry.item.status != "in_progress" and entry.item.text != entry.keep_text and self._capabilities.deletes:
                self._fire(entry, chart.Reword())
                entry.reworded = entry.life.state == "rewriting"
                self.ledger.see(entry)
        elif entry.keep_ms and self._capabilities.truncates:
            before_ms = entry.part_from_ms
            self._fire(entry, chart.Keep(entry.keep_ms - before_ms, entry.generated_ms - before_ms))

    def _fire(self, entry: Entry, event: ItemEvent, *, attempt: int = 1) -> None:
        effects = self.fire(ITEM, entry.life, event)
        self.ledger.see(entry)
        if entry.operation and (effects or entry.life.state not in _IN_FLIGHT):
            self._end(self._operations.get(entry.operation))
        for effect in effects:
            match effect:
                case chart.SendCreate():
                    item = entry.told(self._turns.get(effect.item_id, b"")) if entry.away else entry.item
                    self._send(events.CreateItem(self._begin(entry, attempt), item, effect.after))
                    if not self._capabilities.acknowledges:
                        self._fire(entry, chart.Added())
                case chart.SendTruncate():
                    operation = self._begin(entry, attempt, effect.audio_end_ms)
                    self._send(events.TruncateItem(operation, effect.item_id, effect.audio_end_ms, entry.part))
                case chart.SendDelete():
                    self._send(events.DeleteItem(self._begin(entry, attempt), effect.item_id))
                case chart.Report():
                    what = f"item {effect.item_id}: {effect.problem}"
                    self.publish(Problem(kind="other", message=what, operation=effect.item_id))

    def _begin(self, entry: Entry, attempt: int, audio_end_ms: int = 0) -> str:
        """A new operation for an item, which will be answered or expire."""
        self._operation += 1
        entry.operation = operation_id("context", self._operation)
        if self._connected:
            deadline = self.remind(self._deadlines.acknowledge, mail.OperationDeadline(entry.operation))
            self._operations[entry.operation] = _Operation(entry.operation, entry, attempt, audio_end_ms, deadline)
        return entry.operation

    def _end(self, operation: _Operation | None) -> None:
        if operation is not None:
            operation.deadline.cancel()
            self._operations.pop(operation.id, None)

    def _send(self, command: events.Command) -> None:
        self._ring.transport.urgent(command)

    def _new_id(self) -> str:
        """One that no item has, also none of a history that began in another session."""
        self._items += 1
        while (new_id := own_id("context", self._items)) in self.ledger:
            self._items += 1
        return new_id
