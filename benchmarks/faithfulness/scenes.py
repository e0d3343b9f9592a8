"""The situations: what the server says in each, what goes wrong, and what the person does.

Their names are those of `docs/scenarios.md`. There are several messages only where these are the point. A scene is made
anew for each conversation: `part` (0 to 1) says how far into what is heard the person interrupts, so that several
conversations of a scene are cut all over it.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from msgspec import Struct

from benchmarks.faithfulness import talk
from rtactors.loopback.faults import ALWAYS, Faults, Rule, close, cut, delay, duplicate, inject
from rtactors.loopback.script import Call, Failed, Gate, Incomplete, Output, Reply, Say, Script, Timing, Turn, Write

Steps: TypeAlias = list[list[Any]]

TOLD = (
    "Ada kept the lighthouse on the northern cliff for nearly forty years.",
    "Every evening she counted the ships that passed and wrote them down.",
    "One night the fog was so thick that nobody could see the lamp.",
    "Her neighbour had already warned everybody about the rocks that spring.",
    "Suddenly a small fishing boat appeared quite close to the harbour wall.",
    "Nobody in the village had ever seen such a strange flag before.",
)
"""What is worth interrupting: 3.5 s each. No two begin with the same letters, so that each can be found in a text."""
ANSWERS = (
    "All right, tell me more about it.",
    "Good, I have written that down.",
    "Certainly, let us do it like that.",
    "Please go on, I am listening.",
    "Thank you, that is very kind.",
    "Yes, we could try that again.",
    "Quite so, what else is there?",
    "Fine, then we are nearly done.",
)
"""What is said after that, and whenever nothing else is to be said: about 2 s each."""
LINES = (*TOLD, *ANSWERS)
INJECTED = "injected_by_the_benchmark"
"""The code of errors that no client has provoked."""
FASTER = 8.0
"""How much faster than it is heard the server generates."""


class Scene(Struct, kw_only=True):
    replies: Sequence[Reply | Sequence[Output]]
    """In order; then the server says answers."""
    steps: Steps
    """From when the app lets the agent begin, to when all is said but the last answer (`follow up`)."""
    rules: tuple[Rule, ...] = ()
    timing: Timing = Timing(speed=FASTER, delta_ms=100, transcription_ms=100)
    stalls: tuple[tuple[Gate, float], ...] = ()
    """Where generation stops, and for how many seconds."""
    missing_ms: int = 0
    """The server holds so much less of the first message than it sent."""

    @property
    def script(self) -> Script:
        ahead = iter(self.replies)
        answers: Iterator[str] = itertools.cycle(ANSWERS)

        def reply(turn: Turn) -> Reply:
            if turn.out_of_band:
                return Reply(outputs=(Write(text="Seven."),))
            outputs = next(ahead, None) or [Say(text=next(answers))]
            return outputs if isinstance(outputs, Reply) else Reply(outputs=tuple(outputs))

        return reply

    @property
    def all_steps(self) -> Steps:
        return [["begin"], *self.steps, ["follow up"], ["pause", 0.4]]

    @property
    def faults(self) -> Faults:
        return Faults(*self.rules)


class Stage:
    """What a scene is made of: how long the lines are (ms), and where the person interrupts."""

    def __init__(self, lengths: Mapping[str, int], part: float) -> None:
        self._lengths = lengths
        self._part = part

    def within(self, text: str, *, first_ms: int = 100, last_ms: int = 300) -> float:
        """A position in a line, but for its first and last ms: what is heard goes on until the server hears speech."""
        return first_ms + self._part * (self._lengths[text] - first_ms - last_ms)

    def interrupt(self, text: str, number: int = 1) -> Steps:
        """Speak up in a line, the n-th that is heard now, and listen to the answer."""
        return [["heard", number, self.within(text)], ["speak"], ["quiet"]]

    def all_of(self, text: str) -> int:
        """Where a line is over, but for less than nothing."""
        return self._lengths[text] - 1


class Situation(Struct, frozen=True):
    ids: str
    title: str
    group: str
    make: Callable[[Stage], Scene]


SITUATIONS: list[Situation] = []


def situation(ids: str, title: str, group: str = "interruption") -> Callable[[Callable[[Stage], Scene]], None]:
    return lambda make: SITUATIONS.append(Situation(ids, title, group, make))


def say(*texts: str) -> list[Output]:
    return [Say(text=text) for text in texts]


A, B, C, D = TOLD[:4]

# ---------------------------------------------------------------------------------------------------- interruptions


@situation("-", "nothing goes wrong: two messages, heard out")
def heard_out(_: Stage) -> Scene:
    return Scene(replies=[say(A, B)], steps=[["quiet"]])


@situation("E4", "one message, generated at once, interrupted while it plays")
def generated_at_once(stage: Stage) -> Scene:
    timing = Timing(speed=float("inf"), delta_ms=100, transcription_ms=100)
    return Scene(replies=[say(A)], steps=stage.interrupt(A), timing=timing)


@situation("-", "one message, interrupted while the server still generates it")
def still_generated(stage: Stage) -> Scene:
    timing = Timing(speed=1.1, delta_ms=100, transcription_ms=100)
    return Scene(replies=[say(A)], steps=stage.interrupt(A), timing=timing)


@situation("D1 D2", "three messages, interrupted in the first")
def in_the_first(stage: Stage) -> Scene:
    return Scene(replies=[say(A, B, C)], steps=stage.interrupt(A))


@situation("D15 D18", "three messages, interrupted in the second")
def in_the_second(stage: Stage) -> Scene:
    return Scene(replies=[say(A, B, C)], steps=stage.interrupt(B, 2))


@situation("D3", "the first heard, the second announced and not begun")
def between(stage: Stage) -> Scene:
    never = Gate()
    steps: Steps = [["heard", 1, stage.all_of(A)], ["pause", stage.within(B) / 5000], ["speak"], ["quiet"]]
    return Scene(replies=[[Say(text=A), Say(text=B, gate=never)]], steps=steps)


@situation("D4", "the app has asked for another reply behind the one that is interrupted")
def queued(stage: Stage) -> Scene:
    position = stage.within(A, first_ms=1300)
    steps: Steps = [["heard", 1, 300], ["ask"], ["heard", 1, position], ["speak"], ["quiet"]]
    return Scene(replies=[say(A), say(B, C)], steps=steps)


@situation("-", "interrupted, and the answer interrupted again")
def twice(stage: Stage) -> Scene:
    steps: Steps = [["heard", 1, stage.within(A)], ["speak"], *stage.interrupt(C)]
    return Scene(replies=[say(A), say(C)], steps=steps)


@situation("-", "interrupted, and spoken over again before there is an answer")
def at_once_again(stage: Stage) -> Scene:
    steps: Steps = [["heard", 1, stage.within(A)], ["speak"], ["speak"], ["quiet"]]
    return Scene(replies=[say(A), say(C)], steps=steps)


@situation("E1", "announced, interrupted before its first audio")
def before_audio(stage: Stage) -> Scene:
    timing = Timing(speed=FASTER, audio_ms=4000, delta_ms=100, transcription_ms=100)
    steps: Steps = [["pause", 0.3 + stage.within(A) / 5000], ["speak"], ["quiet"]]
    return Scene(replies=[Reply(outputs=(Say(text=A), Say(text=B)), timing=timing)], steps=steps)


@situation("E1", "response created, interrupted before anything is announced")
def before_anything(stage: Stage) -> Scene:
    timing = Timing(speed=FASTER, thinking_ms=4000, delta_ms=100, transcription_ms=100)
    steps: Steps = [["pause", 0.2 + stage.within(A) / 5000], ["speak"], ["quiet"]]
    return Scene(replies=[Reply(outputs=(Say(text=A),), timing=timing)], steps=steps)


# -------------------------------------------------------------------------------------------------- text and context


@situation("D12", "all the text before the audio, interrupted", "text")
def text_ahead(stage: Stage) -> Scene:
    return Scene(replies=[[Say(text=A, lead_ms=float("inf"))]], steps=stage.interrupt(A))


@situation("E3", "no text until the audio is over, interrupted", "text")
def text_late(stage: Stage) -> Scene:
    timing = Timing(speed=1.1, delta_ms=100, transcription_ms=100)
    return Scene(replies=[[Say(text=A, transcript="late")]], steps=stage.interrupt(A), timing=timing)


@situation("D7", "the app adds to the conversation after the interruption", "text")
def noted_later(stage: Stage) -> Scene:
    return Scene(replies=[say(A)], steps=[*stage.interrupt(A), ["note"], ["pause", 0.5]])


@situation("E2", "the app adds to the conversation while a delete is unanswered", "text")
def noted_meanwhile(stage: Stage) -> Scene:
    steps: Steps = [["heard", 1, stage.within(A)], ["speak"], ["note"], ["quiet"]]
    late = delay("conversation.item.deleted", ms=600, times=ALWAYS)
    return Scene(replies=[say(A, B, C)], steps=steps, rules=(late,))


@situation("D10", "a response outside of the conversation overlaps the one that is interrupted", "text")
def aside(stage: Stage) -> Scene:
    position = stage.within(A, first_ms=600)
    timing = Timing(speed=1.5, delta_ms=100, transcription_ms=100)
    steps: Steps = [["heard", 1, 200], ["aside"], ["heard", 1, position], ["speak"], ["quiet"]]
    return Scene(replies=[say(A)], steps=steps, timing=timing)


# ------------------------------------------------------------------------------------------------------------- tools


def call(gate: Gate | None = None) -> Call:
    return Call(name=talk.TOOL, arguments='{"query": "how many ships"}', gate=gate)


@situation("D14", "interrupted while a function's arguments are generated", "tools")
def half_a_call(stage: Stage) -> Scene:
    return Scene(replies=[[Say(text=A), call(Gate())]], steps=stage.interrupt(A))


@situation("D4", "interrupted in the message that stands before a complete function call", "tools")
def call_behind(stage: Stage) -> Scene:
    return Scene(replies=[[Say(text=A), call()]], steps=stage.interrupt(A))


@situation("D22", "a function's result is there while the model still talks", "tools")
def result_meanwhile(_: Stage) -> Scene:
    timing = Timing(speed=1.5, delta_ms=100, transcription_ms=100)
    return Scene(replies=[[call(), Say(text=A)], say(B)], steps=[["quiet"]], timing=timing)


@situation("-", "interrupted in the answer that a function's result was for", "tools")
def in_the_result(stage: Stage) -> Scene:
    return Scene(replies=[[call()], say(A)], steps=stage.interrupt(A))


# --------------------------------------------------------------------------------------------------------- the server


@situation("D19", "late audio of a response that was interrupted", "server")
def late_audio(stage: Stage) -> Scene:
    timing = Timing(speed=1.1, delta_ms=100, transcription_ms=100)
    responses: set[str] = set()

    def of_the_first(event: dict[str, Any]) -> bool:
        responses.add(event["response_id"])
        return len(responses) == 1

    late = delay("response.output_audio.delta", ms=500, nth=5, times=ALWAYS, where=of_the_first)
    position = stage.within(A, last_ms=900)  # while it is generated: else its end would overtake its audio
    return Scene(replies=[say(A)], steps=[["heard", 1, position], ["speak"], ["quiet"]], timing=timing, rules=(late,))


@situation("D20", "the audio stops for a second, goes on, and is interrupted", "server")
def stalled(stage: Stage) -> Scene:
    gate = Gate()
    steps: Steps = [["heard", 1, stage.within(A, first_ms=900)], ["speak"], ["quiet"]]
    return Scene(replies=[[Say(text=A, gate=gate, gate_ms=800)]], steps=steps, stalls=((gate, 1.8),))


@situation("D21", "the server holds less audio than it sent, interrupted in what it lacks", "server")
def less_held(stage: Stage) -> Scene:
    steps: Steps = [["heard", 1, stage.within(A, first_ms=stage.all_of(A) - 900)], ["speak"], ["quiet"]]
    return Scene(replies=[[Say(text=A, missing_ms=1000)]], steps=steps, missing_ms=1000)


@situation("E6", "an error that nobody has provoked, then an interruption", "server")
def error_by_itself(stage: Stage) -> Scene:
    error = {"type": "server_error", "code": INJECTED, "message": "The server had an error.", "event_id": None}
    event = {"type": "error", "event_id": "event_injected", "error": error}
    rules = (inject(event, before="response.output_audio.delta", nth=5),)
    return Scene(replies=[say(A)], steps=stage.interrupt(A), rules=rules)


@situation("E10", "a message without audio between two, interrupted in the last", "server")
def without_audio(stage: Stage) -> Scene:
    silent = Say(text=D, silent=True, transcript="none")
    return Scene(replies=[[Say(text=A), silent, Say(text=C)]], steps=stage.interrupt(C, 2))


@situation("E10", "the response fails in the middle of a message", "server")
def fails(_: Stage) -> Scene:
    return Scene(replies=[Reply(outputs=(Say(text=A),), ending=Failed(after_ms=1500))], steps=[["quiet"]])


@situation("E10", "the response ends incomplete in its second message, interrupted in the first", "server")
def incomplete(stage: Stage) -> Scene:
    length = stage.all_of(A) + 1000
    reply = Reply(outputs=(Say(text=A), Say(text=B)), ending=Incomplete(after_ms=length))
    return Scene(replies=[reply], steps=stage.interrupt(A))


@situation("E14", "response.done without response.created, an event that comes twice, one that nobody knows", "server")
def odd_events(stage: Stage) -> Scene:
    unknown = {"type": "response.mood.updated", "event_id": "event_injected", "mood": "calm"}
    details = {"type": "cancelled", "reason": "turn_detected"}
    response = {"id": "resp_unknown", "object": "realtime.response", "status": "cancelled", "status_details": details}
    response |= {"output": [], "output_modalities": ["audio"], "usage": None, "metadata": None}
    done = {"type": "response.done", "event_id": "event_injected", "response": response}
    rules = (
        duplicate("response.content_part.added"),
        inject(unknown, before="response.output_audio.delta", nth=3),
        inject(done, before="input_audio_buffer.speech_stopped"),
    )
    return Scene(replies=[say(A)], steps=stage.interrupt(A), rules=rules)


# ----------------------------------------------------------------------------------------------------- the connection


@situation("D5 D16", "interrupted, then the connection is lost", "connection")
def lost_after(stage: Stage) -> Scene:
    rules = (close("rate_limits.updated", nth=2, code=1001),)
    return Scene(replies=[say(A)], steps=[*stage.interrupt(A), ["pause", 1.5]], rules=rules)


@situation("D6", "a function was called, then the connection is lost", "connection")
def lost_after_call(stage: Stage) -> Scene:
    rules = (close("rate_limits.updated", nth=3, code=1001),)
    steps: Steps = [*stage.interrupt(A), ["pause", 1.5]]
    return Scene(replies=[[call()], say(A)], steps=steps, rules=rules)


@situation("D8", "the session's limit falls into a response", "connection")
def at_the_limit(stage: Stage) -> Scene:
    timing = Timing(speed=1.1, delta_ms=100, transcription_ms=100)
    reason = "Your session hit the maximum duration of 60 minutes."
    nth = 3 + int(stage.within(A) / 100)
    rules = (close("response.output_audio.delta", nth=nth, code=1001, reason=reason),)
    return Scene(replies=[say(A)], steps=[["quiet"], ["pause", 1.5]], timing=timing, rules=rules)


@situation("D9", "the connection is lost while a response is awaited", "connection")
def lost_waiting(stage: Stage) -> Scene:
    rules = (close("response.created", nth=2, code=1011),)
    steps: Steps = [["heard", 1, stage.within(A)], ["speak"], ["pause", 2.5]]
    return Scene(replies=[say(A)], steps=steps, rules=rules)


@situation("D17", "the server closes the socket as the user speaks", "connection")
def lost_at_speech(stage: Stage) -> Scene:
    rules = (close("input_audio_buffer.speech_started", code=1001),)
    steps: Steps = [["heard", 1, stage.within(A)], ["speak"], ["quiet"], ["pause", 1.0]]
    return Scene(replies=[say(A)], steps=steps, rules=rules)


@situation("E13", "the network breaks while what was received still plays, then an interruption", "connection")
def lost_while_heard(stage: Stage) -> Scene:
    rules = (cut("response.done"),)
    return Scene(
        replies=[say(A)], steps=[["heard", 1, stage.within(A, first_ms=1500)], ["speak"], ["quiet"]], rules=rules
    )
