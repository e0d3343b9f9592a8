"""An agent: tools, work in the background, and a policy of interruption.

    python examples/agent.py

The user asks for two things at once. A tool knows the one; the other takes longer, and an agent in the background finds
it out while the model talks. A cough in between holds the model, which then goes on at the same frame. Words interrupt.
"""

import anyio

from rtactors import Session
from rtactors.delegation import Delegate, Work
from rtactors.interruption import ON_WORDS
from rtactors.loopback.recognizer import Scripted
from rtactors.loopback.script import Call, replies
from rtactors.loopback.server import MemoryServer
from rtactors.loopback.voice import ToneVoice
from rtactors.providers import OpenAIRealtime
from rtactors.session_events import AgentSaid, AgentStartedSpeaking, Transition, UserSaid, UserWrote
from rtactors.sinks import PacedSink
from rtactors.tools import tool

# ------------------------------------------------------------------------------------------------------- the agent


@tool(timeout=5, on_interrupt="cancel")
async def get_weather(city: str) -> str:
    """The weather in a city, now."""
    await anyio.sleep(0.1)  # as a real service takes
    return f"rain in {city}"


async def look_up_trains(work: Work) -> str:
    """Works in the background, while the model goes on talking."""
    print(f"    background: finds out {work.input}")
    await work.progress("looking at the timetable")  # which the model may tell when it is asked
    await anyio.sleep(1)
    return "The last train leaves at 23:04."


# ----------------------------------------------------------------------------- who it talks with: a model, and a user

MODEL = replies(  # what the server lets it do, one response after the other
    [
        Call(name="get_weather", arguments='{"city": "Oslo"}'),
        Call(name="background_agent", arguments='{"prompt": "the last train to Oslo"}'),
    ],
    "It rains in Oslo, so take an umbrella. I am having the train looked up.",
    "The last train leaves at four past eleven, from the third platform of the central station.",
    "You are welcome.",
)
USER = Scripted("", "Thank you, that will do.")  # a cough, then words


async def make_a_sound(session: Session) -> None:
    """Half a second of it, and a second of silence, by which the server knows that it has ended."""
    tone = await ToneVoice(ms_per_char=500).speak("!")
    await session.send_audio(tone.pcm)
    await session.send_audio(bytes(len(tone.pcm) * 2))


async def main() -> None:
    sounds, false_alarms = 0, 0
    async with (
        MemoryServer(MODEL, voice=ToneVoice(), recognizer=USER) as server,
        # With a real model: OpenAIRealtime("gpt-realtime"), without `connect`; and a Speaker as the sink.
        Session(
            OpenAIRealtime(api_key=""),
            sink=PacedSink(),
            tools=[get_weather],
            delegate=Delegate(look_up_trains),
            interruption=ON_WORDS,
            connect=server.connect,
        ) as session,
    ):
        events = session.events()
        await session.ask("Does it rain in Oslo, and when does the last train leave?")
        async for event in events:
            match event:
                case UserWrote() | UserSaid():
                    print("user:", event.text or "(coughs)")
                case AgentStartedSpeaking() if sounds < 2:  # noqa: PLR2004 - a cough, and words
                    sounds += 1
                    await anyio.sleep(1)
                    await make_a_sound(session)
                case Transition(chart="interruption", after="dismissed"):
                    false_alarms += 1
                case AgentSaid(message):
                    print("model:", message.heard_text + (" (cut)" if message.interrupted else ""))
                    if message.heard_text == "You are welcome.":
                        break
                case _:
                    pass

    weather, train, _welcome = [item for item in session.history if item.role == "assistant"]
    assert false_alarms == 1
    assert not weather.interrupted
    assert weather.heard_ms == 60 * len(weather.heard_text)  # ToneVoice's 60 ms a letter: nothing lost, nothing twice
    assert train.interrupted
    assert train.heard_text.startswith("The last train")
    assert [item.output for item in session.history if item.output] == [
        "rain in Oslo",
        "The last train leaves at 23:04.",
    ]


if __name__ == "__main__":
    anyio.run(main)
