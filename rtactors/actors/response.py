"""The response actor: what the model is asked to say, and who has the floor.

It owns the life of each response. It keeps at most one default response at the server (requests wait their turn and
are never lost), gives the floor to one message after the other in the order of the conversation, and lets an
interruption reach every response and every message, also those that were never played or are yet to be announced.
When the user interrupts, the turn actor says; by whose policy, it learns from here, and the server, too.
"""

from collections import deque
from collections.abc import Callable, Collection
from typing import Literal

import anyio
from msgspec.structs import replace

from rtactors import events, mail
from rtactors.actor import ReactiveActor
from rtactors.actors.calls_in_turn import CallsInTurn
from rtactors.actors.floor import Floor
from rtactors.actors.under_way import HAS_SLOT, Message, Response
from rtactors.errors import LimitReached
from rtactors.interruption import Interruption
from rtactors.operations import operation_id, own_id
from rtactors.reply import ReplyRecord
from rtactors.ring import Ring, Surroundings
from rtactors.session_events import (
    AgentStartedSpeaking,
    AgentStateChanged,
    AgentStoppedSpeaking,
    Interrupted,
    MessageAnnounced,
    Problem,
)
from statecharts import agent
from statecharts import requests as queue
from statecharts import response as chart
from statecharts.agent import AGENT
from statecharts.chart import Life
from statecharts.requests import REQUESTS
from statecharts.response import INTERRUPTED_EARLY, RESPONSE, ResponseEvent

_REMEMBERED = 64
"""How many settled responses are remembered, for a server that repeats itself."""

_MOST_ATTEMPTS = 3
"""How often a reply is asked for whose server was lost each time while it made it."""

_PAUSE_S = 0.05
"""Doubled with each refusal, it is the pause before a busy server is asked again."""

_NOT_ON_REQUEST = "this provider can't be asked for a reply: it replies by itself"
_GIVEN_UP = "it was given up before the server started it"

_AS_WANTED = {None, _GIVEN_UP, INTERRUPTED_EARLY}
"""Why a reply is over without anything being wrong."""

_UNSTARTED = RESPONSE.group("waiting", "requested")
_PLAYS = RESPONSE.group("active", "finishing")


class ResponseActor(ReactiveActor[mail.ResponseMail]):
    """`spawn` starts the actor of a message under the session's supervision. `policy` of interruption is the session's,
    `server_acts` whether its server may do so by itself, at first.
    """

    def __init__(
        self,
        ring: Ring,
        surroundings: Surroundings,
        *,
        policy: Interruption,
        server_acts: bool,
        spawn: Callable[[mail.MessageOpened], None],
    ) -> None:
        super().__init__(ring.response, surroundings.publish, surroundings.reminders)
        self._ring = ring
        self._surroundings = surroundings
        self._capabilities = surroundings.capabilities
        self._deadlines = surroundings.deadlines
        self._spawn = spawn
        self._responses: dict[str, Response] = {}  # those that are not settled, by request id or response id
        self._by_response_id: dict[str, Response] = {}
        self._slot: Life = REQUESTS.start("requests")
        self._requests: list[Response] = []  # waiting for the slot, in the order in which they get it
        self._agent: Life = AGENT.start("agent")
        self._calls = CallsInTurn(ring.context.send)
        self._asked_again: dict[str, str] = {}  # ids of replies on their way round; why, if they were stopped there
        self._operations: dict[str, Response] = {}  # what was sent and not answered: create and cancel
        self._messages: dict[str, Message] = {}  # those that are not over
        self._apart: dict[str, Message] = {}  # of these the few that have a policy of their own
        self._floor = Floor()
        self._settled: deque[str] = deque(maxlen=_REMEMBERED)  # ids, so that what the server repeats is known
        self._quiet: list[mail.WhenSilent] = []
        self._operation = 0
        self._count = 0
        self._count_started = 0
        self._connected = False
        self._lost = -1  # the last connection of which we know that it is
        self._over: str | None = None  # why no server will come any more
        self._owed = False  # a server that replies to speech has not begun to, though the user's turn is there
        self._user_speaks = False
        self._user_spoke = 0  # so many times
        self._policy = policy
        self._policy_told: Interruption | None = None
        self._server_acts = server_acts  # as it is set up, or was told to be
        self._setup_refused = not self._capabilities.turn_settings
        self._closing = False

    @property
    def agent_state(self) -> str:
        return self._agent.state

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
            case mail.UserSpeaks():
                self._user_speaks, self._user_spoke = True, message.time
                self._fire_queue(queue.UserSpeaks())
            case mail.UserFellSilent():
                if message.time == self._user_spoke:  # else they have begun again since
                    self._user_speaks = self._owed = False
                    self._fire_queue(queue.UserSilent(len(self._requests)))
            case mail.UserInterrupts():
                self._interrupt_all("user", server_cancels=message.server_cancels, spares=message.spares)
            case mail.HoldSpeech():
                self._floor.hold(app=self._floor.app_holds, user=message.held)
            case mail.ReplyOwed():
                self._owed = message.owed
            case mail.Unwanted():
                self._discard(message.response_id)
            case mail.RestFirst():
                if self._rest_awaited and self._discard(message.response_id):
                    self._ask_again()
            case mail.SetInterruption():
                if known := self._messages.get(message.message_id):
                    known.policy = message.policy
                    self._apart[known.id] = known
            case mail.SetupRefused():
                self._setup_refused = True
            case events.HandoffRequested():
                self._ring.context.send(message)  # by the way of function calls: the words before it are told first
            case events.ProviderError():
                self._on_refused(message)
            case mail.RequestReply():
                self._on_request(message)
            case mail.ConversationKnown():
                for waiting in self._requests:
                    waiting.known.add(message.reply_id)
            case mail.StopReply():
                self._on_stop(message)
            case mail.RequestDeadline():
                self._on_request_deadline(message.reply_id)
            case mail.InterruptAll():
                self._interrupt_all("app", server_cancels=False)
            case mail.FallSilent():
                self._closing = True
                self._calls.cancel(lambda _response: True)
                for response in self._all():
                    self._stop(response)
            case mail.SetPaused():
                self._floor.hold(app=message.paused, user=self._floor.user_holds)
            case mail.AudioBegan():
                self._on_audio_began(message.message_id)
            case mail.MessagePlaying():
                self._on_playing(message)
            case mail.MessageShowing():
                if showing := self._messages.get(message.message_id):
                    self._tell_heard(showing.response)
            case mail.SpokenAudio() | mail.VoiceFailed():
                if voiced := self._messages.get(message.message_id):
                    voiced.inbox.send(message)
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
                if message.connection > self._lost:  # else it is gone already
                    self._on_connection_ready()
            case mail.ConnectionEnded():
                self._on_connection_ended(message.reason)
            case mail.WhenSilent():
                self._quiet.append(message)
            case mail.MessageOver():
                self._messages.pop(message.message_id, None)
                self._apart.pop(message.message_id, None)
            case mail.ResponseDeadline():
                self._on_deadline(message)
            case mail.SlotDeadline():
                self._fire_queue(queue.PauseOver(len(self._requests)))
        self._calls.see_ends()
        self._see_slot()
        self._see_agent()
        self._see_policies()
        if self._quiet and not self._busy:
            for quiet in [each for each in self._quiet if not (each.user_too and self._user_speaks)]:
                self._quiet.remove(quiet)
                self._ring.context.send(mail.WhenAcknowledged(quiet.quiet))

    def _all(self) -> list[Response]:
        """All that are not settled; what is done to one may settle it."""
        return list(self._responses.values())

    @property
    def _busy(self) -> bool:
        """Whether there is anything to be heard, or to be waited for: also a reply that is on its way round."""
        under_way = any(each.expected or each.life.state != "abandoned" for each in self._responses.values())
        return bool(self._messages or self._asked_again or under_way)

    # -- requests

    def _on_request(self, request: mail.RequestReply) -> None:
        stopped = self._asked_again.pop(request.reply.id, "") or (_GIVEN_UP if self._closing else "")
        if not self._capabilities.replies_on_request:
            stopped = _NOT_ON_REQUEST
        reason = self._over or stopped
        joined = next((waiting for waiting in self._requests if waiting.can_join(request)), None)
        if joined and not reason:
            joined.requests.append(request)
            self._expect_start(request)
            return
        times = request.attempt + request.discarded
        again = f" ({times})" if times > 1 else ""
        response = Response(RESPONSE.start(request.reply.id + again), request)
        self._responses[response.life.id] = response
        if reason:
            self._give_up(response, reason)
            return
        if request.ours:
            self._speak_ourselves(response, request.ours)
            return
        self._expect_start(request)
        if not response.out_of_band:
            self._enqueue(response, in_front=response.is_rest)
            self._fire_queue(queue.Asked())
        elif self._connected:
            self._fire(response, chart.SlotFree())

    def _speak_ourselves(self, response: Response, item: events.Item) -> None:
        """A response of one message that no server makes: it has to wait for nothing but the floor."""
        id = self._start(response, response.life.id).response_id
        inbox = self._surroundings.inbox(f"message {item.id}", self._surroundings.bounds.inbox)
        opened = mail.MessageOpened(events.OutputStarted(id, 0, replace(item, status="in_progress")), inbox)
        self._on_message_opened(opened, ours=True)
        self._floor.put_forward(self._messages[item.id])
        inbox.send(events.TextDelta(id, item.id, item.text, spoken=False))
        inbox.send(events.OutputDone(id, 0, item))
        response.status, response.output = "completed", (item,)
        self._fire(response, chart.Done("completed", len(response.open)))

    def _expect_start(self, request: mail.RequestReply) -> None:
        if request.timeout is not None and request.attempt <= 1:
            self.remind(request.timeout, mail.RequestDeadline(request.reply.id))

    def _enqueue(self, response: Response, *, in_front: bool) -> None:
        """Behind those of its priority, or in front of them: it has waited before."""
        more = [
            each.priority > response.priority or (each.priority == response.priority and not in_front)
            for each in self._requests
        ]
        self._requests.insert(more.index(False) if False in more else len(more), response)

    def _on_stop(self, stop: mail.StopReply) -> None:
        for response in self._all():
            for request in response.requests:
                if request.reply.id == stop.reply_id and (stop.also_begun or response.life.state in _UNSTARTED):
                    self._stop_one(response, request, stop.reason)
        if stop.reply_id in self._asked_again:
            self._asked_again[stop.reply_id] = stop.reason or _GIVEN_UP

    def _on_request_deadline(self, reply_id: str) -> None:
        for response in self._all():
            for request in response.requests:
                # Once it was started its time is no matter, also when the rest of it waits for another server.
                if request.reply.id == reply_id and request.attempt <= 1 and response.life.state in _UNSTARTED:
                    self._stop_one(response, request, f"the server did not start it within {request.timeout} s")

    def _stop_one(self, response: Response, request: mail.RequestReply, reason: str) -> None:
        if len(response.requests) == 1:
            self._stop(response, reason)
        elif response.life.state in _UNSTARTED:  # the others still want it
            response.requests.remove(request)
            self._ring.context.send(
                mail.ReplyOver(request.reply, "failed", interrupted=False, failure=reason or _GIVEN_UP)
            )
        else:
            self._stop(response, reason)

    def _stop(self, response: Response, reason: str = "") -> None:
        """Give it up if it has not started, interrupt it if it has; with a `reason` it has failed in either case."""
        if response.life.state in _UNSTARTED and (reason or not response.is_rest):
            self._give_up(response, reason or _GIVEN_UP)
        else:
            response.failure = reason or response.failure
            self._calls.cancel(lambda each: each is response)
            self._interrupt(response, server_cancels=False, out_of_band=True)

    def _give_up(self, response: Response, reason: str) -> None:
        if response in self._requests:
            self._requests.remove(response)
        self._fire(response, chart.Abandoned(reason))

    @property
    def _comes_again(self) -> bool:
        """Whether a reply is on its way round, to be asked for again."""
        return any(not stopped for stopped in self._asked_again.values())

    @property
    def _rest_awaited(self) -> bool:
        """Whether the rest of something is still to be begun."""
        rests = (each.rest_to_come or (each.is_rest and each.life.state in _UNSTARTED) for each in self._all())
        return self._comes_again or any(rests)

    @property
    def _slot_taken(self) -> bool:
        return self._comes_again or any(response.generating for response in self._responses.values())

    def _see_slot(self) -> None:
        """Let the queue see whether a default response is under way."""
        if self._slot_taken and self._slot.state != "away":
            self._fire_queue(queue.Taken())
        while self._slot.state == "taken" and not self._slot_taken:
            self._fire_queue(queue.Vacated(len(self._requests), self._user_speaks))

    def _fire_queue(self, event: queue.RequestsEvent) -> None:
        for effect in self.fire(REQUESTS, self._slot, event):
            match effect:
                case queue.SendNext():
                    self._fire(self._requests.pop(0), chart.SlotFree())
                case queue.Pause():
                    self.remind(_PAUSE_S * 2**effect.attempt, mail.SlotDeadline())

    def _see_agent(self) -> None:
        """What the agent is doing follows from its responses."""
        if self._connected:
            self._fire_agent(agent.Connected())
        under_way = self._requests or any(each.open or each.generating for each in self._responses.values())
        if self._over is not None and not under_way:
            self._fire_agent(agent.Closed())
        elif not self._floor.held and any(each.speech == "begun" for each in self._responses.values()):
            self._fire_agent(agent.Speaks())
        elif under_way and not self._floor.held:
            self._fire_agent(agent.Thinks())
        else:
            self._fire_agent(agent.Listens())

    def _on_refused(self, error: events.ProviderError) -> None:
        if error.kind == "busy" and not error.operation_id and self._owed:
            self._owed = False  # the server won't begin it: one that was asked for as the user spoke was in its way
            self._ask_again()
            return
        response = self._operations.pop(error.operation_id or "", None)
        if response is None or error.kind == "not_active":
            return  # what was to be cancelled had ended by itself
        response.expected = False
        response.refusals += 1
        # Each pause is twice the one before: the last of them begins before the deadline.
        in_time = _PAUSE_S * 2**response.refusals <= self._deadlines.busy
        busy = error.kind == "busy" and in_time and not response.out_of_band
        self._fire(response, chart.Refused(busy, error.message))
        if response.life.state == "waiting":
            self._enqueue(response, in_front=True)
            if not self._slot_taken:  # else we know by which it was refused, and its turn comes behind that
                self._fire_queue(queue.Refused(response.refusals, self._user_speaks))

    # -- from the server

    def _on_started(self, event: events.ResponseStarted) -> None:
        asked = self._asked_as(event.request_id)
        if event.response_id in self._settled:
            return
        if asked is None and not self._capabilities.echoes_request and not event.out_of_band:
            asked = next((each for each in self._responses.values() if each.life.state == "requested"), None)
        known = self._by_response_id.get(event.response_id)
        if known is None:
            joining = [] if asked or event.out_of_band else self._answered_by(event.response_id)
            self._start(asked, event.response_id, *joining, out_of_band=event.out_of_band)
        elif asked is not None:
            self._adopt(known, asked, over=False)

    def _asked_as(self, request_id: str | None) -> Response | None:
        """The response that this request asked for, now that the server answers it."""
        asked = self._operations.pop(request_id or "", None)
        if asked is not None:
            asked.expected = False
        return asked

    def _start(
        self, asked: Response | None, response_id: str, *joining: mail.RequestReply, out_of_band: bool = False
    ) -> Response:
        if asked is None or not asked.ours:
            self._check_open(self._by_response_id.values(), "responses")
        if asked is None:
            self._owed = False
            asked = self._responses[response_id] = Response(RESPONSE.start(response_id), *joining)
        asked.response_id = response_id
        asked.out_of_band = out_of_band or asked.out_of_band
        self._by_response_id[response_id] = asked
        asked.order = self._count_started = self._count_started + 1
        for request in asked.requests:
            self._ring.context.send(mail.ReplyStarted(request.reply, response_id))
        self._fire(asked, chart.Created(response_id))
        if self._closing:
            self._stop(asked)
        return asked

    def _answered_by(self, response_id: str) -> list[mail.RequestReply]:
        """Those that wait and need no reply of their own: the server makes one, and knows what they are about."""
        found: list[mail.RequestReply] = []
        for waiting in [each for each in self._requests if each.will_do_with_any]:
            found += waiting.requests
            waiting.requests = []
            self._requests.remove(waiting)
            self._fire(waiting, chart.Joined(response_id))
        return found

    def _adopt(self, known: Response, asked: Response, *, over: bool) -> None:
        """What began without being announced is what we had asked for: known only now, maybe when it is `over`."""
        known.requests, asked.requests = asked.requests, []
        known.policy = asked.policy
        known.unwanted = asked.unwanted
        before = tuple(message.id for message in known.messages)
        for request in known.requests:
            self._ring.context.send(mail.ReplyStarted(request.reply, known.response_id, before))
        self._fire(asked, chart.Refused(busy=False, reason=f"response {known.response_id} has answered it"))
        if known.unwanted:
            self._interrupt(known, server_cancels=over)

    def _find(self, response_id: str) -> Response:
        """The response of this id. One that was never announced starts here; what is left of a settled one is over."""
        if response_id in self._settled:
            return Response(Life(response_id, "settled"))
        known = self._by_response_id.get(response_id)
        return known or self._start(None, response_id)

    def _on_message_opened(self, opened: mail.MessageOpened, *, ours: bool = False) -> None:
        event = opened.event
        response = self._find(event.response_id)
        if response.out_of_band:
            opened.inbox.close()
            return
        if not ours:
            self._check_open(self._messages.values(), "messages")
        self._watch(response)
        message = response.open[event.item.id] = self._messages[event.item.id] = Message(opened, response)
        response.messages.append(message)
        self._ring.context.send(mail.ItemAnnounced(event.item, event.response_id, ours))
        self.publish(MessageAnnounced(message.id, event.response_id, event.item.phase, anyio.current_time()))
        self._spawn(opened)
        if response.life.state in _PLAYS and not response.interrupted:
            self._floor.enter(message)
        else:
            message.inbox.urgent(mail.InterruptMessage())

    def _check_open(self, under_way: Collection[Response | Message], what: str) -> None:
        """What the app has to say may wait, as its requests do; what a server makes has a bound."""
        most = self._surroundings.bounds.open
        if len(under_way) >= most and (count := sum(not each.ours for each in under_way)) >= most:
            raise LimitReached(f"the server has {count} {what} under way, and begins one more (Bounds.open)")

    def _on_output_done(self, response: Response, item: events.Item) -> None:
        """Of what is not spoken."""
        if item.kind == "function_call":
            self._calls.take(response, item)
            self._hand_over_calls()

    def _hand_over_calls(self) -> None:
        self._calls.hand_over(min((each.order for each in self._by_response_id.values() if each.open), default=None))

    def _on_done(self, event: events.ResponseDone) -> None:
        response = self._find(event.response_id)
        asked = self._asked_as(event.request_id)
        if asked and asked is not response:
            self._adopt(response, asked, over=True)
        for item in event.output:
            self._on_output_done(response, item)
        response.status, response.output = event.status, event.output
        if event.status == "cancelled" and response.life.state == "active" and not response.out_of_band:
            response.cut = not (self._policy_of_now() or self._policy).at_once
            response.broken_off = "the server ended it when it heard the user" if response.cut else ""
        if event.status == "failed":
            response.failure = event.message or event.reason or "the provider failed to answer"
        self._end_generation(response, event.status)
        self._fire(response, chart.Done(event.status, len(response.open), event.reason))
        self._tell_if_silent(response)
        self._fire_queue(queue.Ended(len(self._requests)))

    def _end_generation(self, response: Response, status: events.ResponseStatus) -> None:
        for message in response.messages:
            message.inbox.send(mail.GenerationEnded(status))

    # -- the connection

    def _on_connection_ready(self) -> None:
        self._connected = True
        self._fire_queue(queue.Ready(len(self._requests), self._user_speaks))
        for response in self._all():
            if response.out_of_band and response.life.state == "waiting":
                self._fire(response, chart.SlotFree())

    def _on_connection_lost(self, reason: str) -> None:
        """What was received is played. What was asked for waits for the next server, as does the rest of a reply."""
        self._connected = False
        self._calls.hand_over(None)  # before it is forgotten what the server held
        self._fire_queue(queue.Lost())
        self._settled.clear()  # another server may use the same ids for its own
        for response in reversed(self._all()):
            response.expected = False
            if response.life.state == "requested" and not response.out_of_band:
                self._enqueue(response, in_front=True)
            elif response.life.state in HAS_SLOT:
                response.status = "cancelled" if response.life.state == "interrupted" else "incomplete"
                response.broken_off = "" if response.life.state == "interrupted" else reason
                self._end_generation(response, "failed")
            self._fire(response, chart.Lost(len(response.open)))
            self._tell_if_silent(response)
        if self._owed:
            self._owed = False
            self._ask_again()

    def _on_connection_ended(self, reason: str) -> None:
        """No server will come any more."""
        self._over = reason
        self._on_connection_lost(reason)
        for response in self._all():
            if response.life.state in _UNSTARTED:
                self._give_up(response, reason)

    def _ask_again(self, *requests: mail.RequestReply) -> None:
        """Have it said after all what a server owed, or the rest of it, after what was heard of it.

        By the context actor: it has to know what was heard before that server is asked.
        """
        if not requests and not self._capabilities.replies_on_request:
            return  # it was the server's own, and nobody can ask for another
        if not requests:  # the server had begun it by itself
            self._count += 1
            record = ReplyRecord(own_id("owed", self._count))
            requests = (mail.RequestReply(record, to="what the user said", attempt=0, joins=True),)
        for request in requests:
            self._asked_again[request.reply.id] = ""
            self._ring.context.send(replace(request, attempt=request.attempt + 1))

    # -- the floor

    def _on_audio_began(self, message_id: str) -> None:
        if message := self._messages.get(message_id):
            message.has_audio = True
            self._floor.tell_succeeded()

    def _on_playing(self, message: mail.MessagePlaying) -> None:
        playing = self._messages.get(message.message_id)
        if playing and playing.response.speech == "none":
            playing.response.speech = "begun"
            self.publish(AgentStartedSpeaking(playing.response.response_id, message.at))
            self._tell_heard(playing.response)

    def _tell_heard(self, response: Response) -> None:
        for request in response.requests:
            self._ring.context.send(mail.ReplyHeard(request.reply))

    def _on_message_ended(self, message_id: str) -> None:
        message = self._messages.get(message_id)
        if message is None:
            return
        response = message.response
        response.open.pop(message_id, None)
        self._watch(response)
        self._floor.leave(message)
        response.silent_since = anyio.current_time()
        self._fire(response, chart.MessageEnded(len(response.open)))
        self._tell_if_silent(response)
        self._hand_over_calls()
        self._floor.give()

    def _fire_agent(self, event: agent.AgentEvent) -> None:
        before = self._agent.state
        self.fire(AGENT, self._agent, event)
        if self._agent.state != before:
            self.publish(AgentStateChanged(before, self._agent.state, anyio.current_time()))

    def _tell_if_silent(self, response: Response) -> None:
        """While it is being generated there may be more to hear, however long that takes."""
        if response.speech == "begun" and not response.open and response.life.state != "active":
            response.speech = "over"
            self.publish(AgentStoppedSpeaking(response.response_id, response.silent_since))

    # -- policies

    def _see_policies(self) -> None:
        """Let the turn actor know by which policy the user may interrupt, and the server whether it may do so."""
        policy = self._policy_of_now()
        if policy != self._policy_told:
            self._policy_told = policy
            self._ring.turn.send(mail.AgentPolicy(policy))
        self._see_setup()

    def _policy_of_now(self) -> Interruption | None:
        """Of what is being heard, or else of what is generated."""
        message = self._floor.first
        if message:
            return message.policy or message.response.policy or self._policy
        response = next((each for each in self._responses.values() if each.under_policy), None)
        return response and (response.policy or self._policy)

    def _see_setup(self) -> None:
        """A server that knows nothing of policies may act by itself only where all of them would have it so."""
        if self._setup_refused:
            return
        policies = [self._policy]
        policies += [each.policy for each in self._responses.values() if each.policy and each.under_policy]
        policies += [each.policy for each in self._apart.values() if each.policy]
        at_once = all(policy.at_once for policy in policies)
        if at_once != self._server_acts and not (at_once and self._comes_again):
            self._server_acts = at_once
            self._operation += 1
            self._ring.transport.urgent(mail.UpdateSession(operation_id("turn", self._operation), at_once))

    # -- interruption and deadlines

    def _interrupt_all(self, by: Literal["user", "app"], *, server_cancels: bool, spares: str = "") -> None:
        reached = [each for each in self._all() if not (spares and each.response_id == spares)]
        stopped = [each.response_id for each in reached if each.life.state in _PLAYS and not each.out_of_band]
        self.publish(Interrupted(by, tuple(stopped), anyio.current_time()))
        self._floor.user_holds = False
        if not all(each.out_of_band for each in reached):
            self._floor.app_holds = False  # what was held is stopped
        self._calls.cancel(lambda each: not spares or each.response_id != spares)  # also of those that have settled
        for response in reached:
            self._interrupt(response, server_cancels=server_cancels)
        self._floor.give()

    def _interrupt(self, response: Response, *, server_cancels: bool, out_of_band: bool = False) -> None:
        if out_of_band or not response.out_of_band:
            held = self._floor.first
            if held is None or held.response is response:
                self._floor.app_holds = False  # what was held is stopped
            if response.life.state in _UNSTARTED and response.is_rest:  # not one that waits for its turn
                response.interrupted = True
                self._reply_over(response, "cancelled", None)
                self._give_up(response, _GIVEN_UP)
                return
            self._fire(response, chart.Interrupted(response.response_id, server_cancels))

    def _discard(self, response_id: str) -> bool:
        """Of what the server began by itself nothing is wanted; unless it is being heard, then that is so."""
        response = self._by_response_id.get(response_id)
        if response is None or response.speech != "none":
            return False
        response.unwanted = True
        requests, response.requests = response.requests, []
        for request in requests:  # they joined it, and are still to be answered
            self._asked_again[request.reply.id] = ""
            self._ring.context.send(replace(request, discarded=request.discarded + 1))
        self._calls.cancel(lambda each: each is response)
        self._fire(response, chart.Interrupted(response_id, server_cancels=False))
        return True

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

    def _expire(self, response: Response, attempt: int) -> None:
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

    def _watch(self, response: Response, attempt: int = 1) -> None:
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

    def _fire(self, response: Response, event: ResponseEvent) -> None:
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
                    self._floor.drop(response)
                    for message in response.open.values():
                        message.inbox.urgent(mail.InterruptMessage())
                case chart.Fail():
                    self._reply_over(response, "failed", effect.reason)
        if response.life.state != before:
            response.unwanted = response.unwanted or response.life.state == "abandoned"
            self._watch(response)
            if response.life.state == "settled":
                self._settle(response)

    def _ask(self, response: Response) -> None:
        self._see_setup()
        operation = self._next_operation(response)
        response.expected = True
        self._ring.transport.urgent(events.CreateResponse(operation, response.requests[0].options))

    def _settle(self, response: Response) -> None:
        del self._responses[response.life.id]
        if response.response_id:
            del self._by_response_id[response.response_id]
            self._settled.append(response.response_id)
        for operation in response.operations:
            self._operations.pop(operation, None)
        if not response.broken_off or response.interrupted or response.called:  # what the call gives will lead on
            self._reply_over(response, response.status, response.failure)
        elif (
            self._over
            or self._closing
            or response.out_of_band
            or (not response.cut and any(request.attempt >= _MOST_ATTEMPTS for request in response.requests))
        ):
            self._reply_over(response, "failed", response.broken_off)
        else:
            self._ask_again(*response.requests)

    def _reply_over(self, response: Response, status: str, failure: str | None) -> None:
        """Tell who asked, once: a failed reply is over before its response has settled."""
        for request in response.requests:
            self._ring.context.send(
                mail.ReplyOver(request.reply, status, response.interrupted, failure, response.output)
            )
            expected = failure in _AS_WANTED or self._closing or self._over is not None
            if request.to and not expected:
                what = f"there is no reply to {request.to}: {failure}"
                self.publish(Problem(kind="other", message=what, operation=request.reply.id))
        response.requests = []

    def _next_operation(self, response: Response) -> str:
        self._operation += 1
        operation = operation_id("response", self._operation)
        self._operations[operation] = response
        response.operations.append(operation)
        return operation
