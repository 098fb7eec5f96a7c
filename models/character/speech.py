"""A text spoken by espeak-ng, with the exact time of every phoneme.

espeak-ng (GPL-3, Debian package libespeak-ng1) is used as a tool that makes data, through its C interface; it is no
part of Marotte and nothing live needs it.
"""

import ctypes
from dataclasses import dataclass
from functools import cache
from typing import cast

import numpy as np
from numpy.typing import NDArray

from models.errors import InputError

_RETRIEVE_SOUND, _WANT_PHONEMES, _WANT_IPA = 1, 1, 2
_NO_EXIT = 0x8000
_PARAMETERS = {"rate": 1, "pitch": 3, "range": 4}
_UTF8, _LAST, _PHONEME = 1, 0, 7


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("milliseconds", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("name", ctypes.c_char * 8),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True)
class Phone:
    """One phoneme: its IPA name and its time in seconds from the start of the sound."""

    ipa: str
    start: float
    end: float


@dataclass(frozen=True)
class Voice:
    """espeak-ng's settings: words per minute, pitch and its range in espeak's units of 0..99."""

    name: str = "en-us"
    rate: int = 150
    pitch: int = 50
    range: int = 60


@dataclass(frozen=True)
class Speech:
    """samples: float32 [n] mono in [-1, 1] at `rate` Hz."""

    samples: NDArray[np.float32]
    rate: int
    phones: tuple[Phone, ...]


@cache
def _library() -> tuple[ctypes.CDLL, int]:
    """espeak-ng, started once for the process, and its sample rate in Hz."""
    try:
        library = ctypes.CDLL("libespeak-ng.so.1")
    except OSError as error:
        raise InputError("The character's speech needs espeak-ng: apt install libespeak-ng1.") from error
    rate = library.espeak_Initialize(_RETRIEVE_SOUND, 0, None, _WANT_PHONEMES | _WANT_IPA | _NO_EXIT)
    if rate <= 0:
        raise InputError("espeak-ng did not start: is its data package espeak-ng-data installed?")
    return library, rate


def speak(text: str, voice: Voice) -> Speech:
    """Synthesise a text. Raises InputError if espeak-ng or the voice is missing."""
    library, rate = _library()
    sound = bytearray()
    marks: list[tuple[int, str]] = []

    def collect(samples: object, count: int, events: object) -> int:
        if count > 0:
            sound.extend(ctypes.string_at(cast("ctypes._Pointer[ctypes.c_short]", samples), 2 * count))
        listed = cast("ctypes._Pointer[_Event]", events)
        n = 0
        while listed[n].type != _LAST:
            if listed[n].type == _PHONEME:
                marks.append((listed[n].sample, listed[n].name.decode("utf-8", "ignore")))
            n += 1
        return 0

    callback = _Callback(collect)  # the library keeps no reference of its own
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(voice.name.encode()) != 0:
        raise InputError(f"espeak-ng has no voice {voice.name!r}; 'espeak-ng --voices' lists what it has.")
    for name, number in _PARAMETERS.items():
        library.espeak_SetParameter(number, getattr(voice, name), 0)
    data = text.encode() + b"\0"
    library.espeak_Synth(data, ctypes.c_size_t(len(data)), 0, 1, 0, _UTF8, None, None)
    library.espeak_Synchronize()
    samples = np.frombuffer(bytes(sound), np.int16).astype(np.float32) * np.float32(1 / 32768)
    return Speech(samples, rate, _phones(marks, len(samples), rate))


def _phones(marks: list[tuple[int, str]], length: int, rate: int) -> tuple[Phone, ...]:
    """A mark lasts until the next one; marks without a name are pauses, "(en)" is a change of language."""
    marks = [(sample, ipa) for sample, ipa in marks if not ipa.startswith("(")]
    ends = [sample for sample, _ in marks[1:]] + [length]
    return tuple(
        Phone(ipa, start / rate, end / rate)
        for (start, ipa), end in zip(marks, ends, strict=True)
        if ipa and end > start
    )
