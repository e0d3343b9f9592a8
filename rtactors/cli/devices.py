"""The loudspeaker and the microphone of this machine, for a command that can also do without."""

from msgspec import Struct

from rtactors import ConfigurationError
from rtactors.microphone import Microphone
from rtactors.portaudio import load
from rtactors.providers.base import Capabilities
from rtactors.sinks import Speaker


class Devices(Struct, frozen=True):
    """What there is, and why not all of it."""

    speaker: Speaker | None
    microphone: Microphone | None
    missing: list[str]


def find_devices(rates: Capabilities) -> Devices:
    """The system's defaults."""
    try:
        sounddevice = load()
    except ConfigurationError as reason:
        return Devices(None, None, [str(reason)])

    def has(kind: str) -> bool:
        try:
            return bool(sounddevice.query_devices(kind=kind))
        except (sounddevice.PortAudioError, ValueError):
            return False

    speaker = Speaker(rates.output_rate) if has("output") else None
    microphone = Microphone(rates.input_rate) if has("input") else None
    found = {"loudspeaker": speaker, "microphone": microphone}
    return Devices(speaker, microphone, [f"there is no {name}" for name, device in found.items() if not device])
