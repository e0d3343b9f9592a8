"""The response actor: what the model is asked to say, who has the floor, and who is interrupted.

It owns the life of each response. It keeps at most one default response at the server (requests wait their turn and
are never lost), gives the floor to one message after the other in the order of the conversation, and lets an
interruption reach every response and every message, also those that were never played or are yet to be announced.
"""

from collections import deque
from collections.abc import Callable
from typing import Literal

import anyio

from rtactors import events, mail
from rtactors.actor import ReactiveActor
from rtactors.actors.message import MessageActor
from rtactors.channels import Inbox
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

_REFUSALS = 8
"""How often a request is sent again to a server that is busy with something we don't know of: about ten seconds."""

_SPEECH_S = 30.0
"""After this a user who was never said to have stopped speaking no longer holds up requests: a server that gets no more
audio never says so."""

_OWN_REPLY_S = 1.0
"""What a server that replies to speech by itself gets to begin, before a waiting request is sent."""


class _Message:
    """What this actor remembers of a message."""

    __slots__ = ("has_audio", "id", "inbox", "index", "response")

    def __init__(self, announced: mail.Announced, response: "_Response") -> None:
        self.id = announced.event.item.id
        self.index = announced.event.output_index
        self.inbox = announced.inbox
        self.response = response
        self.has_audio = False


class _Response:
    """What this actor remembers of a response."""

    __slots__ = (
        "failure",
        "inboxes",
        "interrupted",
        "life",
        "open",
        "operations",
        "out_of_band",
        "refusals",
        "request",
        "response_id",
        "silent_since",
        "speech",
        "status",
        "step",
    )

    def __init__(self, life: Life, request: mail.RequestReply | None) -> None:
        self.life = life
        self.request = request
        self.response_id = ""
        self.out_of_band = False
        self.open: dict[str, _Message] = {}  # its messages that have not ended
        self.inboxes: list[Inbox[mail.MessageMail]] = []  # of all its messages: an ended one still counts what comes
        self.operations: list[str] = []
        self.refusals = 0
        self.step = 0  # grows with whatever happens to it
        self.interrupted = False
        self.speech: Literal["none", "begun", "over"] = "none"
        self.silent_since = 0.0
        self.status = ""
        self.failure: str | None = None

    @property
    def generating(self) -> bool:
        """Whether it has the one slot that the server has for default responses."""
        return not self.out_of_band and self.life.state in {"requested", "active", "interrupted"}


class ResponseActor(ReactiveActor[mail.ResponseMail]):
    """`spawn` starts a message actor under the session's supervision."""

    def __init__(self, ring: Ring, surroundings: Surroundings, *, spawn: Callable[[MessageActor], None]) -> None:
        super().__init__(ring.response, surroundings.publish, surroundings.clock)
        self._ring = ring
        self._surroundings = surroundings
        self._capabilities = surroundings.capabilities
        self._deadlines = surroundings.deadlines
        self._spawn = spawn
        self._responses: dict[str, _Response] = {}  # those that are not settled, by request id or response id
        self._by_response_id: dict[str, _Response] = {}
        self._requests: deque[_Response] = deque()  # waiting for the slot, in the order asked
        self._operations: dict[str, _Response] = {}  # what was sent and not answered: create and cancel
        self._messages: dict[str, _Message] = {}  # those that are not over
        self._floor: deque[_Message] = deque()  # waiting to be heard, in order
        self._speaking: _Message | None = None
        self._calls: set[str] = set()  # function calls that were handed over
        self._settled: deque[str] = deque(maxlen=_REMEMBERED)  # ids, so that what the server repeats is known
        self._quiet: list[anyio.Event] = []
        self._operation = 0
        self._connected = True
        self._turn = 0  # of the user
        self._user_speaks = False
        self._slot_held = False

    def handle(self, message: mail.ResponseMail) -> None:
        match message:
            case mail.Announced():
                self._on_announced(message)
            case events.ResponseStarted():
                self._on_started(message)
            case events.OutputDone():
                self._on_output_done(message)
            case events.ResponseDone():
                self._on_done(message)
            case events.SpeechStarted():
                self._on_speech_started(message)
            case events.SpeechStopped():
                self.publish(UserStoppedSpeaking(message.item_id, anyio.current_time()))
                self.remind(_OWN_REPLY_S if self._capabilities.replies_to_speech else 0, mail.SpeechOver(self._turn))
            case events.ProviderError():
                self._on_refused(message)
            case mail.RequestReply():
                self._on_request(message)
            case mail.StopReply():
                if response := self._responses.get(message.request_id):
                    self._stop(response)
            case mail.InterruptAll():
                for response in list(self._responses.values()):
                    if message.requests_too:
                        self._stop(response)
                    else:
                        self._interrupt(response, server_cancels=False)
            case mail.SetPaused():
                if self._speaking:
                    self._speaking.inbox.urgent(message)
            case mail.AudioBegan():
                self._on_audio_began(message.message_id)
            case mail.MessagePlaying():
                self._on_playing(message)
            case mail.MessageStalled():
                if stalled := self._messages.get(message.message_id):
                    self._expire(stalled.response, attempt=1)
            case mail.MessageEnded():
                self._on_message_ended(message.message_id)
            case mail.ConnectionEnded():
                self._on_connection_ended(message.reason)
            case mail.Quiesce():
                self._quiet.append(message.quiet)
            case mail.ResponseDeadline():
                self._on_deadline(message)
            case mail.SpeechOver():
                self._user_speaks = self._user_speaks and message.turn != self._turn
            case mail.SlotDeadline():
                self._slot_held = False
        self._fill_slot()
        if self._quiet and all(response.life.state == "abandoned" for response in self._responses.values()):
            for quiet in self._quiet:
                quiet.set()
            self._quiet.clear()

    # -- requests

    def _on_request(self, request: mail.RequestReply) -> None:
        response = _Response(RESPONSE.start(request.reply.id), request)
        self._responses[request.reply.id] = response
        if not self._connected:
            self._give_up(response, "the connection to the server is gone")
            return
        self._requests.append(response)

    def _stop(self, response: _Response) -> None:
        if response.life.state in {"waiting", "requested"}:
            self._give_up(response, "it was given up before the server started it")
        else:
            self._interrupt(response, server_cancels=False)

    def _give_up(self, response: _Response, reason: str) -> None:
        if response in self._requests:
            self._requests.remove(response)
        self._fire(response, chart.Abandoned(reason))

    def _fill_slot(self) -> None:
        """Ask for the next reply, unless a default response is under way or the user speaks."""
        if not self._requests or self._user_speaks or self._slot_held:
            return
        if not any(response.generating for response in self._responses.values()):
            self._fire(self._requests.popleft(), chart.SlotFree())

    def _on_refused(self, error: events.ProviderError) -> None:
        response = self._operations.pop(error.operation_id or "", None)
        if response is None or error.kind == "not_active":
            return  # what was to be cancelled had ended by itself
        response.refusals += 1
        busy = error.kind == "busy" and response.refusals <= _REFUSALS
        self._fire(response, chart.Refused(busy, error.message))
        if response.life.state != "waiting":
            return
        self._requests.appendleft(response)
        # The refusal may have crossed with the end of the other response: then the slot is free, and nothing else would
        # wake us up. But a server that goes on refusing is not to be asked without a pause.
        if response.refusals > 1:
            self._slot_held = True
            self.remind(0.05 * 2**response.refusals, mail.SlotDeadline())

    # -- from the server

    def _on_started(self, event: events.ResponseStarted) -> None:
        if event.response_id in self._settled:
            return
        response = self._operations.pop(event.request_id or "", None)
        if response is None and not self._capabilities.echoes_request and not event.out_of_band:
            response = next((each for each in self._responses.values() if each.life.state == "requested"), None)
        self._start(response or self._by_response_id.get(event.response_id), event)

    def _start(self, response: _Response | None, event: events.ResponseStarted) -> _Response:
        if response is None:
            response = self._responses[event.response_id] = _Response(RESPONSE.start(event.response_id), None)
        if not response.response_id:
            response.response_id = event.response_id
            response.out_of_band = event.out_of_band
            self._by_response_id[event.response_id] = response
            if response.request and response.life.state == "requested":
                self._ring.context.send(mail.ReplyStarted(response.request.reply, event.response_id))
            self._fire(response, chart.Created(event.response_id, event.out_of_band))
        return response

    def _find(self, response_id: str) -> _Response:
        """The response of this id. One that was never announced starts here; what is left of a settled one is over."""
        if response_id in self._settled:
            return _Response(Life(response_id, "settled"), None)
        known = self._by_response_id.get(response_id)
        return known or self._start(None, events.ResponseStarted(response_id))

    def _on_announced(self, announced: mail.Announced) -> None:
        event = announced.event
        response = self._find(event.response_id)
        if response.out_of_band:
            announced.inbox.close()
            return
        response.step += 1
        response.inboxes.append(announced.inbox)
        message = response.open[event.item.id] = self._messages[event.item.id] = _Message(announced, response)
        self._ring.context.send(mail.MessageKnown(event.item, event.response_id))
        self.publish(MessageAnnounced(message.id, event.response_id, event.item.phase, anyio.current_time()))
        self._spawn(MessageActor(announced, self._ring, self._surroundings))
        if response.life.state in {"active", "finishing"} and not response.interrupted:
            self._queue(message)
            self._give_floor()
        else:
            message.inbox.urgent(mail.InterruptMessage())

    def _on_output_done(self, event: events.OutputDone) -> None:
        """Of what is not spoken. A function call may run once it is complete, and only once."""
        item = event.item
        if item.kind == "function_call" and item.status == "completed" and item.call_id not in self._calls:
            self._calls.add(item.call_id)
            self._ring.context.send(mail.CallCompleted(item))

    def _on_done(self, event: events.ResponseDone) -> None:
        response = self._find(event.response_id)
        response.step += 1
        for item in event.output:
            self._on_output_done(events.OutputDone(event.response_id, 0, item))
        response.status = event.status
        if event.status == "failed":
            response.failure = event.message or event.reason or "the provider failed to answer"
        self._slot_held = False
        self._end_generation(response, event.status)
        self._fire(response, chart.Done(event.status, len(response.open), event.reason))
        self._tell_if_silent(response)

    def _end_generation(self, response: _Response, status: events.ResponseStatus) -> None:
        for inbox in response.inboxes:
            inbox.send(mail.GenerationEnded(status))

    def _on_connection_ended(self, reason: str) -> None:
        """What was received is played; nothing else comes."""
        self._connected = False
        for response in list(self._responses.values()):
            if response.life.state in {"active", "interrupted"}:
                self._on_done(events.ResponseDone(response.response_id, "failed", message=reason))
            elif response.life.state in {"waiting", "requested"}:
                self._give_up(response, reason)
            if response.life.state == "abandoned":
                self._fire(response, chart.Refused(busy=False, reason=reason))

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

    def _give_floor(self) -> None:
        if self._speaking is None and self._floor:
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
        message = self._messages.pop(message_id, None)
        if message is None:
            return
        response = message.response
        response.open.pop(message_id, None)
        response.step += 1
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
        self._turn += 1
        self._user_speaks = True
        self.remind(_SPEECH_S, mail.SpeechOver(self._turn))
        for response in list(self._responses.values()):
            self._interrupt(response, server_cancels=self._capabilities.cancels_on_speech)

    def _interrupt(self, response: _Response, *, server_cancels: bool) -> None:
        if not response.out_of_band:
            self._fire(response, chart.Interrupted(response.response_id, server_cancels))

    def _on_deadline(self, deadline: mail.ResponseDeadline) -> None:
        response = self._responses.get(deadline.key)
        if response is None or response.life.state != deadline.state:
            return
        if deadline.state == "active" and (response.open or response.step != deadline.step):
            self._watch(response)  # it moves, or its messages see for themselves whether they do
        else:
            self._expire(response, deadline.attempt)

    def _expire(self, response: _Response, attempt: int) -> None:
        given_up = response.life.state == "interrupted" and attempt > 1
        self._fire(response, chart.Expired(response.response_id, attempt, len(response.open)))
        if given_up:
            what = f"the server did not end response {response.response_id}, though it was cancelled"
            self.publish(Problem(kind="other", message=what, operation=response.response_id))
            self._end_generation(response, "cancelled")

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
                    self._reply_over(response, failure=effect.reason)
        if response.life.state != before:
            response.step += 1
            self._watch(response)
            if response.life.state == "settled":
                self._settle(response)

    def _ask(self, response: _Response) -> None:
        request = response.request
        if request is None:
            raise RuntimeError(f"{response.life!r} was not asked for here")
        operation = self._next_operation(response)
        self._ring.transport.urgent(events.CreateResponse(operation, request.instructions))

    def _watch(self, response: _Response) -> None:
        """No state in which the server has to do something lasts for ever."""
        state = response.life.state
        seconds = {
            "requested": self._deadlines.start,
            "active": self._deadlines.silence,
            "interrupted": self._deadlines.stop,
        }.get(state)
        if seconds is not None:
            for attempt in (1, 2) if state == "interrupted" else (1,):
                self.remind(seconds * attempt, mail.ResponseDeadline(response.life.id, state, response.step, attempt))

    def _settle(self, response: _Response) -> None:
        del self._responses[response.life.id]
        if response.response_id:
            del self._by_response_id[response.response_id]
            self._settled.append(response.response_id)
        for operation in response.operations:
            self._operations.pop(operation, None)
        self._reply_over(response, failure=response.failure)

    def _reply_over(self, response: _Response, *, failure: str | None) -> None:
        if response.request is not None:
            over = mail.ReplyOver(response.request.reply, response.status, response.interrupted, failure)
            self._ring.context.send(over)

    def _next_operation(self, response: _Response) -> str:
        self._operation += 1
        operation = f"response-{self._operation}"
        self._operations[operation] = response
        response.operations.append(operation)
        return operation
