"""The turn actor: whose turn it is.

It stands before the response actor and passes on, in order, what concerns it alone. What it hears of the user's speech
and words it judges by the interruption policy of what is being heard, and tells the response actor what follows: to
hold, to go on, to stop, to let requests wait. It has a turn answered where the server does not do that by itself.
"""

import anyio
from msgspec.structs import replace

from rtactors import events, mail
from rtactors.actor import ReactiveActor
from rtactors.interruption import Interruption
from rtactors.operations import own_id
from rtactors.reminders import Reminder
from rtactors.reply import ReplyRecord
from rtactors.ring import Ring, Surroundings
from rtactors.session_events import Problem, UserStartedSpeaking, UserStoppedSpeaking
from statecharts import interruption as chart
from statecharts.chart import Life
from statecharts.interruption import INTERRUPTION, InterruptionEvent

_REMEMBERED = 64
"""How many turns are remembered, and how many commits of the app's: what a server says of them comes soon."""

_UNDECIDED = INTERRUPTION.group("suspected", "committed")


class _Turn:
    """One time that the user speaks."""

    __slots__ = (
        "answer",
        "asked",
        "began_ms",
        "by_hand",
        "expects_words",
        "life",
        "policy",
        "seconds",
        "server_replies",
        "silent",
        "speaks",
        "text",
    )

    def __init__(self, life: Life, policy: Interruption, *, began_ms: int, silent: bool, by_hand: bool) -> None:
        self.life = life
        self.policy = policy
        self.began_ms = began_ms
        self.silent = silent  # nothing was generated or heard when it began
        self.by_hand = by_hand  # the app says when it begins and ends
        self.speaks = True
        self.seconds = 0.0  # of speech, as far as that is known
        self.text = ""
        self.expects_words = False
        self.server_replies = False  # by itself
        self.answer = ""  # id of the response by which it does
        self.asked = ""  # id of our request for one

    @property
    def long_enough(self) -> bool:
        return self.seconds >= self.policy.min_speech

    @property
    def undecided(self) -> bool:
        return self.life.state in _UNDECIDED


class TurnActor(ReactiveActor[mail.TurnMail]):
    """`policy` is the session's, `server_acts` whether its server may do so by itself, at first."""

    def __init__(self, ring: Ring, surroundings: Surroundings, *, policy: Interruption, server_acts: bool) -> None:
        super().__init__(ring.turn, surroundings.publish, surroundings.reminders)
        self._ring = ring
        self._capabilities = surroundings.capabilities
        self._deadlines = surroundings.deadlines
        self._policy = policy
        self._agent: Interruption | None = None  # the policy of what is heard, else of what is generated
        self._server_acts = server_acts  # by itself, as it is set up
        self._updates: list[mail.SetupTold] = []  # on their way to it
        self._disobeyed = False  # it acts by itself, though it was set up not to
        self._turns: dict[str, _Turn] = {}  # by the id of the item that they become; by one of ours, if by hand
        self._by_hand: _Turn | None = None  # the one that the app has begun and not ended
        self._commits: dict[str, str] = {}  # operation -> id of the reply that is to answer what the app ended
        self._holding: set[str] = set()  # ids of turns
        self._user_speaks = False
        self._time_is_up = True  # for the user to go on, and for a server that replies by itself to do so
        self._silence: Reminder | None = None
        self._waits = 0  # for silence, each of them ends the one before
        self._told: set[str] = set()  # problems, each once
        self._times = 0  # that the user spoke
        self._answers = 0  # that were asked for

    def handle(self, message: mail.TurnMail) -> None:
        match message:
            case events.SpeechStarted():
                self._begin(message.item_id, began_ms=message.audio_ms)
            case events.SpeechStopped():
                self._on_stopped(message)
            case events.InputCommitted():
                self._on_committed(message.item_id)
            case events.InputCleared():
                self._on_cleared()
            case events.InputTranscript():
                self._on_words(message)
            case events.InputTranscriptFailed():
                self._on_no_words(message.item_id)
            case events.SessionConfigured():
                if self._updates:
                    self._server_acts = self._updates.pop(0).server_acts
            case events.ProviderError():
                self._on_refused(message)
            case mail.AgentPolicy():
                self._on_agent(message.policy)
            case mail.SetupTold():
                if message.operation_id:
                    self._updates.append(message)
                    self.remind(self._deadlines.acknowledge, mail.SetupDue(message.operation_id))
                else:
                    self._server_acts = message.server_acts
            case mail.SetupDue():
                self._on_setup_due(message.operation_id)
            case mail.BeginTurn():
                self._cancel_by_hand()
                self._by_hand = self._begin(message.turn_id, by_hand=True)
            case mail.EndTurn():
                self._end_by_hand(message)
            case mail.CancelTurn():
                self._cancel_by_hand()
            case mail.SpeechLasts():
                self._on_lasts(message)
            case mail.WordsDue():
                self._on_due(message.turn_id)
            case mail.SpeechOver() if message.wait == self._waits:
                self._on_over()
            case mail.ConnectionLost():
                self._on_lost()
                self._ring.response.send(message)
            case events.ResponseStarted():
                self._ring.response.send(message)
                if message.request_id is None and not message.out_of_band and self._capabilities.echoes_request:
                    self._on_own_response(message.response_id)
            case mail.SpeechOver():
                pass
            case _:
                self._ring.response.send(message)
        self._see_silence()

    # -- the user's voice

    def _begin(self, turn_id: str, *, began_ms: int = 0, by_hand: bool = False) -> _Turn:
        """The item that it names is the user's coming one: not what is to be stopped."""
        self.publish(UserStartedSpeaking(turn_id, anyio.current_time()))
        if known := self._turns.get(turn_id):  # by a server that repeats itself
            return known
        while len(self._turns) >= _REMEMBERED:
            self._forget(next(iter(self._turns)))
        silent = self._agent is None
        policy = self._feasible(self._agent or self._policy)
        turn = _Turn(INTERRUPTION.start(turn_id), policy, began_ms=began_ms, silent=silent, by_hand=by_hand)
        self._turns[turn_id] = turn
        self._user_speaks = True
        self._times += 1
        self._ring.response.hand(mail.UserSpeaks(self._times))
        self._expect_silence(self._deadlines.speech)
        self._fire(turn, chart.SpeechBegan(policy.enabled, policy.conditional, policy.pause, silent))
        self._expect_length(turn)
        return turn

    def _on_stopped(self, event: events.SpeechStopped) -> None:
        self.publish(UserStoppedSpeaking(event.item_id, anyio.current_time()))
        if turn := self._turns.get(event.item_id):
            turn.speaks = False
            beside = self._capabilities.speech_padding + self._capabilities.speech_silence
            turn.seconds = max(turn.seconds, round((event.audio_ms - turn.began_ms) / 1000 - beside, 3))
            self._weigh(turn)
            self._fire(turn, chart.SpeechEnded(hopeful=turn.long_enough))
            self._expect_words(turn)
        self._on_turn_over()

    def _on_committed(self, item_id: str) -> None:
        self._ring.response.send(mail.ReplyOwed(owed=self._server_replies))
        if turn := self._turns.get(item_id):
            turn.speaks = False
            turn.server_replies = self._server_replies
            self._fire(turn, chart.Committed())
            self._expect_words(turn)
        self._on_turn_over()

    def _on_cleared(self) -> None:
        """What the app began by hand, the app ends."""
        self._ring.response.send(mail.ReplyOwed(owed=False))
        for turn in self._turns.values():
            if not turn.by_hand:
                turn.speaks = False
                self._fire(turn, chart.Cleared())
        self._on_turn_over()

    def _on_words(self, transcript: events.InputTranscript) -> None:
        if turn := self._turns.get(transcript.item_id):
            turn.text = transcript.text if transcript.final else turn.text + transcript.text
            self._weigh(turn)
            if transcript.final:
                self._fire(turn, chart.Unmet())

    def _on_no_words(self, item_id: str) -> None:
        """Nobody will ever know them: what lasted long enough is a turn."""
        if turn := self._turns.get(item_id):
            self._fire(turn, chart.Met(self._enabled(turn)) if turn.long_enough else chart.Unmet())

    def _on_lasts(self, lasts: mail.SpeechLasts) -> None:
        turn = self._turns.get(lasts.turn_id)
        if turn and turn.speaks:
            turn.seconds = max(turn.seconds, lasts.seconds)
            self._weigh(turn)

    def _on_due(self, turn_id: str) -> None:
        turn = self._turns.get(turn_id)
        if turn and not turn.speaks:
            self._fire(turn, chart.TimeUp())

    def _on_lost(self) -> None:
        """The next server is told what is no item yet, and will hear it for itself; what the app began goes on."""
        self._updates.clear()
        for turn in list(self._turns.values()):
            if not turn.by_hand:
                self._fire(turn, chart.Lost(self._enabled(turn)))
                self._forget(turn.life.id)

    # -- the conditions

    def _weigh(self, turn: _Turn) -> None:
        if turn.long_enough and _words(turn.text) >= turn.policy.min_words:
            self._fire(turn, chart.Met(self._enabled(turn)))

    def _enabled(self, turn: _Turn) -> bool:
        """Whether it may interrupt: what is heard at this moment decides."""
        return (self._agent or turn.policy).enabled

    def _feasible(self, policy: Interruption) -> Interruption:
        if policy.min_words and not self._capabilities.transcribes:
            self._problem(
                "Interruption.min_words can't be known, since the user's words are not transcribed: without them "
                "min_speech alone decides. Switch transcription on in the provider, or set min_speech"
            )
            return replace(policy, min_words=0)
        return policy

    def _on_agent(self, policy: Interruption | None) -> None:
        """Something else is generated or heard; if the user speaks, they do so over that now."""
        self._agent = policy
        if policy is None:
            return
        now = self._feasible(policy)
        for turn in self._turns.values():
            if turn.speaks and (now != turn.policy or (turn.silent and not now.at_once)):
                turn.policy, turn.silent = now, False
                self._fire(turn, chart.AgentChanged(now.enabled, now.conditional, now.pause))
                if turn.undecided:
                    self._weigh(turn)
                    self._expect_length(turn)

    def _expect_length(self, turn: _Turn) -> None:
        """The server tells of an end only after some silence: before that nobody knows whether they still speak."""
        if turn.undecided and not turn.long_enough:
            seconds = turn.policy.min_speech
            lasts = mail.SpeechLasts(turn.life.id, seconds)
            self.remind(seconds + self._capabilities.speech_silence, lasts)

    def _expect_words(self, turn: _Turn) -> None:
        if turn.undecided and not turn.expects_words:
            turn.expects_words = True
            self.remind(turn.policy.decide, mail.WordsDue(turn.life.id))

    # -- by hand

    def _end_by_hand(self, end: mail.EndTurn) -> None:
        """It is a turn, since the app says so; who ends it asks for the reply, too."""
        if turn := self._stop_by_hand():
            self._fire(turn, chart.Met(self._enabled(turn)))
            self._fire(turn, chart.Committed())
        while len(self._commits) >= _REMEMBERED:
            del self._commits[next(iter(self._commits))]
        self._commits[end.operation_id] = end.reply_id

    def _cancel_by_hand(self) -> None:
        if turn := self._stop_by_hand():
            self._fire(turn, chart.Cleared())

    def _stop_by_hand(self) -> _Turn | None:
        turn, self._by_hand = self._by_hand, None
        if turn:
            turn.speaks = False
            self.publish(UserStoppedSpeaking(turn.life.id, anyio.current_time()))
            self._expect_silence(0)
        return turn

    # -- silence

    def _on_turn_over(self) -> None:
        if self._user_speaks and self._by_hand is None:
            self._expect_silence(self._deadlines.own_reply if self._server_replies else 0)

    def _expect_silence(self, seconds: float) -> None:
        self._time_is_up = False
        if self._silence:
            self._silence.cancel()
        self._waits += 1
        self._silence = self.remind(seconds, mail.SpeechOver(self._waits))

    def _on_over(self) -> None:
        self._time_is_up = True
        for turn in self._turns.values():
            if turn.speaks:  # a server that gets no more audio never says that they stopped
                turn.speaks = False
                self._fire(turn, chart.TimeUp())

    def _see_silence(self) -> None:
        """What waits for the user to have spoken also waits until it is known what that was."""
        if self._user_speaks and self._time_is_up and not any(turn.undecided for turn in self._turns.values()):
            self._user_speaks = False
            self._ring.context.send(mail.UserFellSilent(self._times))

    # -- what the server does by itself

    @property
    def _server_replies(self) -> bool:
        return self._capabilities.replies_to_speech and (self._server_acts or self._disobeyed)

    @property
    def _server_cancels(self) -> bool:
        return self._capabilities.cancels_on_speech and (self._server_acts or self._disobeyed)

    def _on_own_response(self, response_id: str) -> None:
        """The server began a response that nobody had asked for: an answer to the user."""
        if not self._capabilities.replies_to_speech:
            return
        if not self._server_replies:
            self._disobey("it replied by itself")
        turn = next((turn for turn in reversed(self._turns.values()) if not turn.speaks), None)
        if turn is None or turn.answer:
            return
        turn.answer, turn.server_replies = response_id, True
        if turn.asked:
            self._ring.context.send(mail.StopReply(turn.asked, also_begun=False))  # it may have joined this one
        self._see_answer(turn)

    def _see_answer(self, turn: _Turn) -> None:
        """What the server answers by itself may be answered by nobody, or not now."""
        if turn.answer and turn.life.state in ("doubted", "dismissed"):
            self._ring.response.send(mail.Unwanted(turn.answer))
            turn.answer, turn.server_replies = "", False  # if it is to be answered after all, then by another one
        elif turn.answer and turn.life.state == "taken" and not turn.policy.enabled:
            self._ring.response.send(mail.RestFirst(turn.answer))

    def _disobey(self, what: str) -> None:
        self._disobeyed = True
        self._problem(
            f"the server was set up to leave interruptions and replies to us, but {what}: what it does is corrected, "
            "which costs time and tokens"
        )

    def _on_refused(self, error: events.ProviderError) -> None:
        update = next((each for each in self._updates if each.operation_id == error.operation_id), None)
        if update:
            self._updates.remove(update)
            self._ring.response.send(mail.SetupRefused())
            self._disobey(f"refused that: {error.message}")
        elif reply_id := self._commits.pop(error.operation_id or "", ""):
            self._ring.context.send(mail.StopReply(reply_id, f"the user's turn was refused: {error.message}"))
        else:
            self._ring.response.send(error)

    def _on_setup_due(self, operation_id: str) -> None:
        """A lost acknowledgement is no refusal: the server has most likely heard it."""
        if any(each.operation_id == operation_id for each in self._updates):
            while (update := self._updates.pop(0)).operation_id != operation_id:
                pass  # those before it say nothing any more
            self._server_acts = update.server_acts
            self._problem("the server did not acknowledge how it was set up; it is taken to be")

    # -- effects

    def _fire(self, turn: _Turn, event: InterruptionEvent) -> None:
        for effect in self.fire(INTERRUPTION, turn.life, event):
            match effect:
                case chart.Hold():
                    self._holding.add(effect.id)
                    self._ring.response.hand(mail.HoldSpeech(held=True))
                case chart.Resume():
                    self._let_go(effect.id)
                case chart.Interrupt():
                    self._holding.clear()
                    self._ring.response.hand(mail.UserInterrupts(self._server_cancels, turn.answer))
                case chart.Reply():
                    self._answer(turn)
                case chart.Dismiss():
                    self._ring.response.send(mail.ReplyOwed(owed=False))
                    self._see_answer(turn)

    def _answer(self, turn: _Turn) -> None:
        if turn.by_hand or not self._capabilities.replies_to_speech:
            return  # that is the app's business
        if turn.server_replies:
            self._see_answer(turn)
        else:
            self._answers += 1
            turn.asked = own_id("answer", self._answers)
            self._ring.context.send(mail.RequestReply(ReplyRecord(turn.asked), to="what the user said", joins=True))

    def _let_go(self, turn_id: str) -> None:
        if turn_id in self._holding:
            self._holding.remove(turn_id)
            if not self._holding:
                self._ring.response.send(mail.HoldSpeech(held=False))

    def _forget(self, turn_id: str) -> None:
        if self._turns.pop(turn_id, None):
            self._let_go(turn_id)

    def _problem(self, what: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self.publish(Problem(kind="other", message=what))


def _words(text: str) -> int:
    return sum(any(character.isalnum() for character in word) for word in text.split())
