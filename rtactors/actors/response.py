"""The response actor: what the model is asked to say, who has the floor, and who is interrupted.

It owns the life of each response. It keeps at most one default response at the server (requests wait their turn and
are never lost), gives the floor to one message after the other in the order of the conversation, and lets an
interruption reach every response and every message, also those that were never played or are yet to be announced.
"""

from collections import deque
from collections.abc import Callable
from typing import Literal

import anyio
from msgspec.structs import replace

from rtactors import events, mail
from rtactors.actor import ReactiveActor
from rtactors.errors import LimitReached
from rtactors.operations import operation_id
from rtactors.reminders import Reminder
from rtactors.reply import ReplyRecord
from rtactors.ring import Ring, Surroundings
from rtactors.session_events import (
    AgentStartedSpeaking,
    AgentStoppedSpeaking,
    MessageAnnounced,
    Problem,
    UserStartedSpeaking,
    UserStoppedSpeaking,
)
from statecharts import response as chart
from statecharts.chart import Life
from statecharts.response import RESPONSE, ResponseEvent

_REMEMBERED = 64
"""How many settled responses are remembered, for a server that repeats itself."""

_MOST_ATTEMPTS = 3
"""How often a reply is asked for whose server was lost each time while it made it."""

_PAUSE_S = 0.05
"""Doubled with each refusal, it is the pause before a busy server is asked again."""

_GIVEN_UP = "it was given up before the server started it"

_UNSTARTED = RESPONSE.group("waiting", "requested")
_HAS_SLOT = RESPONSE.group("active", "interrupted")
_PLAYS = RESPONSE.group("active", "finishing")


class _Message:
    """What this actor remembers of a message."""

    __slots__ = ("has_audio", "id", "inbox", "index", "response")

    def __init__(self, opened: mail.MessageOpened, response: "_Response") -> None:
        self.id = opened.event.item.id
        self.index = opened.event.output_index
        self.inbox = opened.inbox
        self.response = response
        self.has_audio = False


class _Response:
    """What this actor remembers of a response."""

    __slots__ = (
        "broken_off",
        "called",
        "deadline",
        "expected",
        "failure",
        "interrupted",
        "life",
        "messages",
        "open",
        "operations",
        "out_of_band",
        "refusals",
        "request",
        "response_id",
        "silent_since",
        "speech",
        "status",
        "unwanted",
    )

    def __init__(self, life: Life, request: mail.RequestReply | None) -> None:
        self.life = life
        self.request = request
        self.response_id = ""
        self.out_of_band = False
        self.open: dict[str, _Message] = {}  # its messages that have not ended
        self.messages: list[_Message] = []  # all: an ended one still counts what comes
        self.operations: list[str] = []
        self.expected = False  # asked for, and the server has neither started nor refused it
        self.refusals = 0
        self.deadline: Reminder | None = None
        self.interrupted = False
        self.broken_off = ""  # why its server was lost while it made it
        self.called = False  # a function call of it was handed over
        self.unwanted = False  # given up: what comes of it leaves nothing
        self.speech: Literal["none", "begun", "over"] = "none"
        self.silent_since = 0.0
        self.status = ""
        self.failure: str | None = None

    @property
    def is_rest(self) -> bool:
        """Whether it is asked for again: its beginning was heard, and then its server was lost."""
        return self.request is not None and self.request.attempt > 1

    @property
    def generating(self) -> bool:
        """Whether it has the one slot that the server has for default responses, as far as we know."""
        return not self.out_of_band and (self.expected or self.life.state in _HAS_SLOT)


class ResponseActor(ReactiveActor[mail.ResponseMail]):
    """`spawn` starts the actor of a message under the session's supervision."""

    def __init__(self, ring: Ring, surroundings: Surroundings, *, spawn: Callable[[mail.MessageOpened], None]) -> None:
        super().__init__(ring.response, surroundings.publish, surroundings.reminders)
        self._ring = ring
        self._surroundings = surroundings
        self._capabilities = surroundings.capabilities
        self._deadlines = surroundings.deadlines
        self._spawn = spawn
        self._responses: dict[str, _Response] = {}  # those that are not settled, by request id or response id
        self._by_response_id: dict[str, _Response] = {}
        self._requests: deque[_Response] = deque()  # waiting for the slot, in the order asked
        self._asked_again: dict[str, str] = {}  # ids of replies on their way round; why, if they were stopped there
        self._operations: dict[str, _Response] = {}  # what was sent and not answered: create and cancel
        self._messages: dict[str, _Message] = {}  # those that are not over
        self._floor: deque[_Message] = deque()  # waiting to be heard, in order
        self._speaking: _Message | None = None
        self._calls: set[str] = set()  # function calls that were handed over
        self._settled: deque[str] = deque(maxlen=_REMEMBERED)  # ids, so that what the server repeats is known
        self._quiet: list[mail.WhenSilent] = []
        self._operation = 0
        self._count = 0
        self._connected = False
        self._lost = -1  # the last connection of which we know that it is
        self._over: str | None = None  # why no server will come any more
        self._owed = False  # a server that replies to speech has not begun to, though the user's turn is there
        self._user_speaks = False
        self._speech_over: Reminder | None = None
        self._slot_held = False
        self._paused = False
        self._closing = False

    def handle(self, message: mail.ResponseMail) -> None:
        match message:
            case mail.MessageOpened():
                self._on_message_opened(message)
            case events.ResponseStarted():
                self._on_started(message)
            case events.OutputDone():
                self._on_output_done(self._find(message.response_id), message.item)
            case events.ResponseDone():
                self._on_done(message)
            case events.SpeechStarted():
                self._on_speech_started(message)
            case events.SpeechStopped():
                self.publish(UserStoppedSpeaking(message.item_id, anyio.current_time()))
                self._on_turn_over()
            case events.InputCommitted() | events.InputCleared():
                self._owed = isinstance(message, events.InputCommitted) and self._capabilities.replies_to_speech
                self._on_turn_over()
            case events.ProviderError():
                self._on_refused(message)
            case mail.RequestReply():
                self._on_request(message)
            case mail.StopReply():
                for response in self._all():
                    if response.request and response.request.reply.id == message.reply_id:
                        self._stop(response, message.reason)
                if message.reply_id in self._asked_again:
                    self._asked_again[message.reply_id] = message.reason or _GIVEN_UP
            case mail.InterruptAll():
                for response in self._all():
                    self._interrupt(response, server_cancels=False)
            case mail.FallSilent():
                self._closing = True
                for response in self._all():
                    self._stop(response)
            case mail.SetPaused():
                self._on_set_paused(message)
            case mail.AudioBegan():
                self._on_audio_began(message.message_id)
            case mail.MessagePlaying():
                self._on_playing(message)
            case mail.MessageStalled():
                if stalled := self._messages.get(message.message_id):
                    self._expire(stalled.response, attempt=1)
            case mail.MessageEnded():
                self._on_message_ended(message.message_id)
            case mail.ConnectionLost():
                self._on_connection_lost(message.reason)
                self._lost = message.connection
                self._ring.context.send(message)
            case mail.ConnectionReady():
                self._connected = message.connection > self._lost
            case mail.ConnectionEnded():
                self._on_connection_ended(message.reason)
            case mail.WhenSilent():
                self._quiet.append(message)
            case mail.MessageOver():
                self._messages.pop(message.message_id, None)
            case mail.ResponseDeadline():
                self._on_deadline(message)
            case mail.SpeechOver():
                self._user_speaks = self._owed = False
            case mail.SlotDeadline():
                self._slot_held = False
        self._fill_slot()
        if self._quiet and not self._messages and not any(self._under_way(each) for each in self._responses.values()):
            for quiet in [each for each in self._quiet if not (each.user_too and self._user_speaks)]:
                self._quiet.remove(quiet)
                self._ring.context.send(mail.WhenAcknowledged(quiet.quiet))

    def _all(self) -> list[_Response]:
        """All that are not settled; what is done to one may settle it."""
        return list(self._responses.values())

    def _under_way(self, response: _Response) -> bool:
        return response.expected or response.life.state != "abandoned"

    # -- requests

    def _on_request(self, request: mail.RequestReply) -> None:
        again = f" ({request.attempt})" if request.attempt > 1 else ""
        response = _Response(RESPONSE.start(request.reply.id + again), request)
        self._responses[response.life.id] = response
        stopped = self._asked_again.pop(request.reply.id, "") or (_GIVEN_UP if self._closing else "")
        if reason := self._over or stopped:
            self._give_up(response, reason)
            return
        self._requests.append(response)

    def _stop(self, response: _Response, reason: str = "") -> None:
        """Give it up if it has not started, interrupt it if it has; with a `reason` it has failed in either case."""
        if response.life.state in _UNSTARTED and (reason or not response.is_rest):
            self._give_up(response, reason or _GIVEN_UP)
        else:
            response.failure = reason or response.failure
            self._interrupt(response, server_cancels=False)

    def _give_up(self, response: _Response, reason: str) -> None:
        if response in self._requests:
            self._requests.remove(response)
        self._fire(response, chart.Abandoned(reason))

    def _fill_slot(self) -> None:
        """Ask for the next reply, unless a default response is under way or the user speaks."""
        if not self._requests or self._user_speaks or self._slot_held or not self._connected:
            return
        if not any(response.generating for response in self._responses.values()):
            self._fire(self._requests.popleft(), chart.SlotFree())

    def _on_refused(self, error: events.ProviderError) -> None:
        response = self._operations.pop(error.operation_id or "", None)
        if response is None or error.kind == "not_active":
            return  # what was to be cancelled had ended by itself
        response.expected = False
        response.refusals += 1
        # Each pause is twice the one before: the last of them begins before the deadline.
        busy = error.kind == "busy" and _PAUSE_S * 2**response.refusals <= self._deadlines.busy
        self._fire(response, chart.Refused(busy, error.message))
        if response.life.state != "waiting":
            return
        self._requests.appendleft(response)
        # The refusal may have crossed with the end of the other response: then the slot is free, and nothing else would
        # wake us up. But a server that goes on refusing is not to be asked without a pause.
        if response.refusals > 1:
            self._slot_held = True
            self.remind(_PAUSE_S * 2**response.refusals, mail.SlotDeadline())

    # -- from the server

    def _on_started(self, event: events.ResponseStarted) -> None:
        asked = self._asked_as(event.request_id)
        if event.response_id in self._settled:
            return
        if asked is None and not self._capabilities.echoes_request and not event.out_of_band:
            asked = next((each for each in self._responses.values() if each.life.state == "requested"), None)
        known = self._by_response_id.get(event.response_id)
        if known is None:
            self._start(asked, event.response_id, out_of_band=event.out_of_band)
        elif asked is not None:
            self._adopt(known, asked, over=False)

    def _asked_as(self, request_id: str | None) -> _Response | None:
        """The response that this request asked for, now that the server answers it."""
        asked = self._operations.pop(request_id or "", None)
        if asked is not None:
            asked.expected = False
        return asked

    def _start(self, asked: _Response | None, response_id: str, *, out_of_band: bool = False) -> _Response:
        self._check_open(len(self._by_response_id), "responses")
        if asked is None:
            self._owed = False
            asked = self._responses[response_id] = _Response(RESPONSE.start(response_id), None)
        asked.response_id = response_id
        asked.out_of_band = out_of_band
        self._by_response_id[response_id] = asked
        if asked.request:
            self._ring.context.send(mail.ReplyStarted(asked.request.reply, response_id))
        self._fire(asked, chart.Created(response_id))
        if self._closing:
            self._stop(asked)
        return asked

    def _adopt(self, known: _Response, asked: _Response, *, over: bool) -> None:
        """What began without being announced is what we had asked for: known only now, maybe when it is `over`."""
        known.request, asked.request = asked.request, None
        known.unwanted = asked.unwanted
        if known.request:
            before = tuple(message.id for message in known.messages)
            self._ring.context.send(mail.ReplyStarted(known.request.reply, known.response_id, before))
        self._fire(asked, chart.Refused(busy=False, reason=f"response {known.response_id} has answered it"))
        if known.unwanted:
            self._interrupt(known, server_cancels=over)

    def _find(self, response_id: str) -> _Response:
        """The response of this id. One that was never announced starts here; what is left of a settled one is over."""
        if response_id in self._settled:
            return _Response(Life(response_id, "settled"), None)
        known = self._by_response_id.get(response_id)
        return known or self._start(None, response_id)

    def _on_message_opened(self, opened: mail.MessageOpened) -> None:
        event = opened.event
        response = self._find(event.response_id)
        if response.out_of_band:
            opened.inbox.close()
            return
        self._check_open(len(self._messages), "messages")
        self._watch(response)
        message = response.open[event.item.id] = self._messages[event.item.id] = _Message(opened, response)
        response.messages.append(message)
        self._ring.context.send(mail.ItemAnnounced(event.item, event.response_id))
        self.publish(MessageAnnounced(message.id, event.response_id, event.item.phase, anyio.current_time()))
        self._spawn(opened)
        if response.life.state in _PLAYS and not response.interrupted:
            self._queue(message)
            self._give_floor()
        else:
            message.inbox.urgent(mail.InterruptMessage())

    def _check_open(self, count: int, what: str) -> None:
        if count >= self._surroundings.bounds.open:
            raise LimitReached(f"the server has {count} {what} under way, and begins one more (Bounds.open)")

    def _on_output_done(self, response: _Response, item: events.Item) -> None:
        """Of what is not spoken. A function call may run once it is complete, and only once."""
        if item.kind != "function_call" or item.call_id in self._calls or response.out_of_band:
            return
        if response.unwanted:
            self._ring.context.send(mail.RemoveItem(item.id))
        elif item.status == "completed":
            self._calls.add(item.call_id)
            response.called = True
            self._ring.context.send(mail.CallCompleted(item))
        else:
            self._calls.add(item.call_id)
            self._ring.context.send(mail.CallCancelled(item))

    def _on_done(self, event: events.ResponseDone) -> None:
        response = self._find(event.response_id)
        asked = self._asked_as(event.request_id)
        if asked and asked is not response:
            self._adopt(response, asked, over=True)
        for item in event.output:
            self._on_output_done(response, item)
        response.status = event.status
        if event.status == "failed":
            response.failure = event.message or event.reason or "the provider failed to answer"
        self._slot_held = False
        self._end_generation(response, event.status)
        self._fire(response, chart.Done(event.status, len(response.open), event.reason))
        self._tell_if_silent(response)

    def _end_generation(self, response: _Response, status: events.ResponseStatus) -> None:
        for message in response.messages:
            message.inbox.send(mail.GenerationEnded(status))

    # -- the connection

    def _on_connection_lost(self, reason: str) -> None:
        """What was received is played. What was asked for waits for the next server, as does the rest of a reply."""
        self._connected = self._slot_held = False
        self._settled.clear()  # another server may use the same ids for its own
        for response in reversed(self._all()):
            response.expected = False
            if response.life.state == "requested":
                self._requests.appendleft(response)
            elif response.life.state in _HAS_SLOT:
                response.status = "cancelled" if response.life.state == "interrupted" else "incomplete"
                response.broken_off = "" if response.life.state == "interrupted" or response.out_of_band else reason
                self._end_generation(response, "failed")
            self._fire(response, chart.Lost(len(response.open)))
            self._tell_if_silent(response)
        if self._owed:
            self._owed = False
            self._ask_again(None)

    def _on_connection_ended(self, reason: str) -> None:
        """No server will come any more."""
        self._over = reason
        self._on_connection_lost(reason)
        for response in self._all():
            if response.life.state in _UNSTARTED:
                self._give_up(response, reason)

    def _ask_again(self, request: mail.RequestReply | None) -> None:
        """Let the next server say what the last one owed, or the rest of it, after what was heard of it.

        By the context actor: it has to know what was heard before that server is asked.
        """
        if request is None:  # the server had begun it by itself
            self._count += 1
            request = mail.RequestReply(ReplyRecord(f"rt_owed_{self._count}"), attempt=0)
        self._asked_again[request.reply.id] = ""
        self._ring.context.send(replace(request, attempt=request.attempt + 1))

    # -- the floor

    def _queue(self, message: _Message) -> None:
        """Behind what is waiting, but before later messages of its own response."""
        place = len(self._floor)
        while (
            place
            and self._floor[place - 1].response is message.response
            and (self._floor[place - 1].index > message.index)
        ):
            place -= 1
        self._floor.insert(place, message)

    def _on_set_paused(self, message: mail.SetPaused) -> None:
        self._paused = message.paused
        if self._speaking:
            self._speaking.inbox.urgent(message)
        else:
            self._give_floor()

    def _give_floor(self) -> None:
        if self._speaking is None and self._floor and not self._paused:
            self._speaking = self._floor.popleft()
            self._speaking.inbox.urgent(mail.TakeFloor())
            self._tell_succeeded(self._speaking)

    def _on_audio_began(self, message_id: str) -> None:
        if message := self._messages.get(message_id):
            message.has_audio = True
            if self._speaking:
                self._tell_succeeded(self._speaking)

    def _tell_succeeded(self, message: _Message) -> None:
        """Who has the floor learns that the server has moved on to a later message."""
        if any(other.has_audio and other.index > message.index for other in message.response.open.values()):
            message.inbox.send(mail.SuccessorBegan())

    def _on_playing(self, message: mail.MessagePlaying) -> None:
        playing = self._messages.get(message.message_id)
        if playing and playing.response.speech == "none":
            playing.response.speech = "begun"
            self.publish(AgentStartedSpeaking(playing.response.response_id, message.at))

    def _on_message_ended(self, message_id: str) -> None:
        message = self._messages.get(message_id)
        if message is None:
            return
        response = message.response
        response.open.pop(message_id, None)
        self._watch(response)
        if self._speaking is message:
            self._speaking = None
        elif message in self._floor:
            self._floor.remove(message)
        response.silent_since = anyio.current_time()
        self._fire(response, chart.MessageEnded(len(response.open)))
        self._tell_if_silent(response)
        self._give_floor()

    def _tell_if_silent(self, response: _Response) -> None:
        """While it is being generated there may be more to hear, however long that takes."""
        if response.speech == "begun" and not response.open and response.life.state != "active":
            response.speech = "over"
            self.publish(AgentStoppedSpeaking(response.response_id, response.silent_since))

    # -- interruption and deadlines

    def _on_speech_started(self, event: events.SpeechStarted) -> None:
        """The user speaks over the agent. The item it names is the user's coming one: not what is to be stopped."""
        self.publish(UserStartedSpeaking(event.item_id, anyio.current_time()))
        self._user_speaks = True
        self._expect_speech_over(self._deadlines.speech)
        for response in self._all():
            self._interrupt(response, server_cancels=self._capabilities.cancels_on_speech)

    def _on_turn_over(self) -> None:
        if self._user_speaks:
            self._expect_speech_over(self._deadlines.own_reply if self._capabilities.replies_to_speech else 0)

    def _expect_speech_over(self, seconds: float) -> None:
        if self._speech_over:
            self._speech_over.cancel()
        self._speech_over = self.remind(seconds, mail.SpeechOver())

    def _interrupt(self, response: _Response, *, server_cancels: bool) -> None:
        if not response.out_of_band:
            self._paused = False  # what was held is stopped
            if response.life.state in _UNSTARTED and response.is_rest:  # not one that waits for its turn
                response.interrupted = True
                self._reply_over(response, "cancelled", None)
                self._give_up(response, _GIVEN_UP)
                return
            self._fire(response, chart.Interrupted(response.response_id, server_cancels))

    def _on_deadline(self, deadline: mail.ResponseDeadline) -> None:
        response = self._responses.get(deadline.life_id)
        if response is None:
            return
        if response.life.state == "abandoned":
            response.expected = False  # the server won't answer any more; if it does, it is cancelled by its id
        elif response.life.state == "active" and response.open:
            self._watch(response)  # its messages see for themselves whether anything moves
        else:
            self._expire(response, deadline.attempt)

    def _expire(self, response: _Response, attempt: int) -> None:
        was_interrupted = response.life.state == "interrupted"
        if response.life.state == "requested":
            response.expected = False
        self._fire(response, chart.Expired(response.response_id, attempt, len(response.open)))
        if response.life.state == "interrupted" and was_interrupted:
            self._watch(response, attempt + 1)
        elif was_interrupted:
            what = f"the server did not end response {response.response_id}, though it was cancelled"
            self.publish(Problem(kind="other", message=what, operation=response.response_id))
            self._end_generation(response, "cancelled")
        self._tell_if_silent(response)

    def _watch(self, response: _Response, attempt: int = 1) -> None:
        """No state in which the server has to do something lasts for ever."""
        if response.deadline:
            response.deadline.cancel()
        seconds = {
            "requested": self._deadlines.start,
            "active": self._deadlines.silence,
            "interrupted": self._deadlines.stop,
            "abandoned": self._deadlines.stop if response.expected else None,
        }.get(response.life.state)
        deadline = mail.ResponseDeadline(response.life.id, attempt)
        response.deadline = None if seconds is None else self.remind(seconds, deadline)

    # -- effects

    def _fire(self, response: _Response, event: ResponseEvent) -> None:
        before = response.life.state
        for effect in self.fire(RESPONSE, response.life, event):
            match effect:
                case chart.Request():
                    self._ask(response)
                case chart.Cancel():
                    operation = self._next_operation(response)
                    self._ring.transport.urgent(events.CancelResponse(operation, effect.response_id))
                case chart.InterruptMessages():
                    response.interrupted = True
                    for message in response.open.values():
                        if message in self._floor:
                            self._floor.remove(message)
                        message.inbox.urgent(mail.InterruptMessage())
                case chart.Fail():
                    self._reply_over(response, "failed", effect.reason)
        if response.life.state != before:
            response.unwanted = response.unwanted or response.life.state == "abandoned"
            self._watch(response)
            if response.life.state == "settled":
                self._settle(response)

    def _ask(self, response: _Response) -> None:
        request = response.request
        if request is None:
            raise RuntimeError(f"{response.life!r} was not asked for here")
        operation = self._next_operation(response)
        response.expected = True
        self._ring.transport.urgent(events.CreateResponse(operation, request.instructions))

    def _settle(self, response: _Response) -> None:
        del self._responses[response.life.id]
        if response.response_id:
            del self._by_response_id[response.response_id]
            self._settled.append(response.response_id)
        for operation in response.operations:
            self._operations.pop(operation, None)
        if not response.broken_off or response.interrupted or response.called:  # what the call gives will lead on
            self._reply_over(response, response.status, response.failure)
        elif self._over or self._closing or (response.request and response.request.attempt >= _MOST_ATTEMPTS):
            self._reply_over(response, "failed", response.broken_off)
        else:
            self._ask_again(response.request)

    def _reply_over(self, response: _Response, status: str, failure: str | None) -> None:
        """Tell who asked, once: a failed reply is over before its response has settled."""
        if response.request is not None:
            over = mail.ReplyOver(response.request.reply, status, response.interrupted, failure)
            self._ring.context.send(over)
            response.request = None

    def _next_operation(self, response: _Response) -> str:
        self._operation += 1
        operation = operation_id("response", self._operation)
        self._operations[operation] = response
        response.operations.append(operation)
        return operation
