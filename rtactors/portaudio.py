"""The way to the audio devices of this machine: PortAudio through `sounddevice`, which is optional."""

from typing import Any

import anyio
import anyio.to_thread

from rtactors.errors import ConfigurationError

CLOSE_TIMEOUT_S = 2


def load() -> Any:  # noqa: ANN401 - the library has no types
    """Import `sounddevice`. Raises ConfigurationError that says what to install."""
    try:
        import sounddevice  # pyright: ignore[reportMissingTypeStubs] it has none
    except ImportError:
        raise ConfigurationError(
            'the extra for audio devices is not installed: pip install "rtactors[audio]"'
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"sounddevice can't work here ({error}): on Debian and Ubuntu, apt-get install libportaudio2"
        ) from None
    return sounddevice


def start(stream_type: str, **options: Any) -> Any:  # noqa: ANN401 - the library has no types
    """Open and start a stream of `sounddevice`, mono PCM16; blocks for up to 200 ms.

    Raises ConfigurationError if the device doesn't exist, doesn't take the rate, or is in use.
    """
    sounddevice = load()
    try:
        stream = getattr(sounddevice, stream_type)(channels=1, dtype="int16", **options)
        stream.start()
    except (sounddevice.PortAudioError, ValueError) as error:
        device = "the default device" if options["device"] is None else f"device {options['device']!r}"
        raise ConfigurationError(
            f"can't use {device} at {options['samplerate']} Hz ({error.args[0]}):"
            " choose another; `python -m sounddevice` lists them"
        ) from error
    return stream


async def close(stream: Any) -> None:  # noqa: ANN401 - the library has no types
    """Stop and close a stream; a driver that hangs is left to itself."""
    with anyio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
        await anyio.to_thread.run_sync(stream.close, abandon_on_cancel=True)
