"""The machine's sound system, by sounddevice: which devices there are, and how their refusals read."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

from realtime.errors import DeviceError

LIBRARY = "install PortAudio, on Debian and Ubuntu with: sudo apt install libportaudio2"
DEVICE = "plug it in, allow its use, close what else uses it, or choose another (`serve.py devices` lists them)"

_playing: list[object] = []


@dataclass(frozen=True, slots=True)
class Device:
    """A sound device."""

    number: int
    name: str
    inputs: int
    """Channels that can be heard."""
    outputs: int
    """Channels that can be played."""
    is_default: bool


def devices() -> list[Device]:
    """All sound devices.

    Raises:
        DeviceError: there is no sound system.
    """
    try:
        import sounddevice

        default = tuple(sounddevice.default.device)
        return [
            Device(number, found["name"], found["max_input_channels"], found["max_output_channels"], number in default)
            for number, found in enumerate(sounddevice.query_devices())
        ]
    except failures() as error:
        raise DeviceError(f"This machine's sound system cannot be used ({error}): {LIBRARY}.") from error


def device(named: int | str | None) -> int | str | None:
    """A device as sounddevice takes it, from what a user typed: a number, part of a name, or nothing."""
    return int(named) if isinstance(named, str) and named.isdecimal() else named


def failures() -> tuple[type[Exception], ...]:
    """What sounddevice raises: OSError without its library, ValueError for unknown names, else an error of its own."""
    try:
        from sounddevice import PortAudioError
    except OSError:
        return (OSError,)
    return (OSError, ValueError, PortAudioError)


def advice(error: Exception) -> str:
    """What helps against one of the `failures`."""
    return LIBRARY if isinstance(error, OSError) else DEVICE


def look_again(sounddevice: ModuleType) -> None:
    """Find devices that were plugged in since the start. Not while sound is played: that would be cut off."""
    if not _playing:
        sounddevice._terminate()
        sounddevice._initialize()


def playing(stream: object, is_playing: bool) -> None:
    """Note that an output begins or ends."""
    if is_playing:
        _playing.append(stream)
    elif stream in _playing:
        _playing.remove(stream)
