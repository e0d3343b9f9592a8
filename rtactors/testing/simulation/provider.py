"""The provider's side of a plan: the embedded server's script, timing and faults, and the settings it is asked for."""

import math
from array import array

import anyio
from msgspec import to_builtins
from msgspec.structs import replace

from rtactors.alignment import Aligner, EvenAligner, SpeechAligner
from rtactors.interruption import Interruption
from rtactors.loopback import faults, script
from rtactors.loopback.conversation import FRAMES_PER_MS
from rtactors.loopback.faults import Faults, Json, Rule
from rtactors.loopback.recognizer import Scripted
from rtactors.loopback.script import Script, Timing
from rtactors.loopback.voice import ToneVoice
from rtactors.providers import OpenAIRealtime
from rtactors.providers.openai import wire
from rtactors.testing.fickle import FickleAligner
from rtactors.testing.simulation.plan import Fault, Line, Model, Plan, Policy, Reply, Text

MS_PER_CHARACTER = 60
CUT_MARK = " [cut]"
COUGH_MS = 100
VOICE = ToneVoice(MS_PER_CHARACTER)
_WORDS = [
    "alpha",
    "bravo",
    "charlie",
    "delta",
    "echo",
    "foxtrot",
    "golf",
    "hotel",
    "india",
    "juliet",
    "kilo",
    "lima",
    "mike",
    "november",
    "oscar",
    "papa",
]
_FAILURES = {"failed": "server_error", "rate_limited": "rate_limit_exceeded"}
STRANGE: Json = {"type": "response.dream.delta", "event_id": "event_of_a_dream", "dream": {"of": "sheep"}}
_BUSY = (
    "conversation_already_has_active_response",
    "Conversation already has an active response in progress: resp_of_somebody.",
)
_ERROR = ("server_error", "The server had an error while processing your request.")
EXPIRED: Json = {
    "type": "invalid_request_error",
    "code": "session_expired",
    "message": "Your session hit the maximum duration of 60 minutes.",
}
NO_QUOTA: Json = {
    "type": "insufficient_quota",
    "code": "insufficient_quota",
    "message": "You exceeded your current quota, please check your plan and billing details.",
}


OWN_FUNCTION = "look_up"
"""The app answers calls of it; all others are tools."""
NO_FUNCTION = "no_such_function"


def tool_name(number: int) -> str:
    return f"tool_{number}"


def provider_of(plan: Plan) -> OpenAIRealtime:
    """The client's settings."""
    model = plan.model
    vad = wire.ServerVad(create_response=model.replies, interrupt_response=model.interrupts)
    return OpenAIRealtime(
        api_key="",
        websocket_base_url="ws://simulated/v1",
        turn_detection=vad if model.detects_speech else None,
        tools=[wire.FunctionTool(name=OWN_FUNCTION)] if plan.tools else (),
    )


class Understands(Scripted):
    """The n-th turn that is one; what is no longer than a cough has no words."""

    async def transcribe(self, pcm: bytes) -> str:
        sounds = sum(sample != 0 for sample in array("h", pcm)) / FRAMES_PER_MS
        return await super().transcribe(pcm) if sounds > COUGH_MS else ""


def policy_of(policy: Policy) -> Interruption:
    return Interruption(
        enabled=policy.enabled,
        min_speech=policy.min_speech_ms / 1000,
        min_words=policy.min_words,
        pause=policy.pause,
        decide=policy.decide_ms / 1000,
    )


def timing_of(model: Model) -> Timing:
    return Timing(
        command_ms=model.command_ms,
        created_ms=model.created_ms,
        thinking_ms=model.thinking_ms,
        between_ms=model.between_ms,
        audio_ms=model.audio_ms,
        delta_ms=model.delta_ms,
        speed=model.percent / 100 or math.inf,
        transcription_ms=model.transcription_ms,
    )


class Halt:
    """The model halts somewhere; `run` lets it go on when it is time."""

    def __init__(self, ms: int) -> None:
        self.gate = script.Gate()
        self._seconds = ms / 1000

    async def run(self) -> None:
        await self.gate.reached.wait()
        await anyio.sleep(self._seconds)
        self.gate.open()


def script_of(plan: Plan) -> tuple[Script, list[Halt]]:
    """Its replies in the order in which the server begins them; then one that is the same for all plans."""
    halts: list[Halt] = []
    lead_ms = plan.text.lead_ms
    ready = [
        _reply(reply, index, halts, len(plan.tools), lead_ms) for index, reply in enumerate((*plan.replies, Reply()))
    ]
    return (lambda turn: ready[min(turn.index, len(ready) - 1)]), halts


def text_of(words: int, key: int) -> str:
    """So many words; another `key`, other words."""
    return " ".join(_WORDS[(key + index * 5) % len(_WORDS)] for index in range(words)) + "."


def _reply(reply: Reply, index: int, halts: list[Halt], tools: int, lead_ms: int | None) -> script.Reply:
    ending: script.Failed | script.Incomplete | None = None
    after_ms = reply.ends_after_ms or None
    if reply.ending == "incomplete":
        ending = script.Incomplete(after_ms=after_ms)
    elif reply.ending != "completed":
        ending = script.Failed(after_ms=after_ms, code=_FAILURES[reply.ending])
    outputs = [_output(line, 7 * index + 3 * place, halts, tools) for place, line in enumerate(reply.lines)]
    outputs = tuple(replace(each, lead_ms=lead_ms) if isinstance(each, script.Say) else each for each in outputs)
    return script.Reply(outputs=outputs, ending=ending, batch_done=reply.batch_done)


def _output(line: Line, key: int, halts: list[Halt], tools: int) -> script.Output:
    text = text_of(line.words, key)
    gate: script.Gate | None = None
    if line.halt_ms and line.kind != "write":
        halts.append(Halt(line.halt_ms))
        gate = halts[-1].gate
    match line.kind:
        case "say":
            return script.Say(
                text=text,
                transcript=line.transcript,
                silent=line.silent,
                missing_ms=0 if line.silent else min(line.missing_ms, (len(text) - 2) * MS_PER_CHARACTER),
                gate=gate,
                gate_ms=300,
            )
        case "write":
            return script.Write(text=text)
        case "delegate":
            given = '{"prompt": ""}' if not line.words else f'{{"prompt": "{text}"}}'
            return script.Call(name="background_agent", arguments=given, gate=gate)
        case "silence":
            return script.Call(name="remain_silent", gate=gate)
        case "call":
            given = {"type": '{"what": 7}', "json": '{"what": '}.get(line.wrong, f'{{"what": "{text}"}}')
            name = OWN_FUNCTION if not (tools and line.calls) else tool_name((line.calls - 1) % tools)
            return script.Call(name=NO_FUNCTION if tools and line.wrong == "name" else name, arguments=given, gate=gate)


def faults_of(given: tuple[Fault, ...], text: Text) -> Faults:
    """One for each fault; behind them one by which texts are corrected."""
    return Faults(*map(_rule, given), *([_correct(text.corrected)] if text.corrected else []))


def _correct(how: str) -> Rule:
    """Of each text that is spoken, when it is over."""

    def change(event: Json) -> None:
        first, *others = event["transcript"].split(" ")
        match how:
            case "other":
                text = " ".join(["zulu", *others])
            case "more":
                text = " ".join([first, *others, "zulu."])
            case _:
                text = " ".join([first, *others[:-1]])
        event["transcript"] = text

    return faults.edit("response.output_audio_transcript.done", change, times=faults.ALWAYS)


def aligner_of(plan: Plan) -> Aligner:
    match plan.text.aligner:
        case "even":
            return EvenAligner()
        case "speech":
            return SpeechAligner()
        case "fickle":
            return FickleAligner(plan.turns)


def _rule(fault: Fault) -> Rule:
    on, nth, times = fault.on, fault.nth, fault.times
    match fault.what:
        case "lost":
            return faults.drop(on, nth=nth, times=times)
        case "late":
            return faults.delay(on, ms=fault.ms, nth=nth, times=times)
        case "twice":
            return faults.duplicate(on, nth=nth, times=times)
        case "strange":
            return faults.inject(STRANGE, before=on, nth=nth, times=times)
        case "swallowed":
            return faults.ignore(on, nth=nth, times=times)
        case "refused":
            code, message = _BUSY if fault.busy else _ERROR
            return faults.refuse(on, code=code, message=message, nth=nth, times=times)


def error_event(error: Json) -> Json:
    return {"type": "error", "event_id": "event_of_the_end", "error": to_builtins(error)}
