"""The background on a device: every frame once it was shown, or, when they do not fit, those that come next.

A thread decodes ahead of what is shown and copies into slots, which keep their place: a CUDA graph holds them.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import fields
from threading import Condition, Thread

import torch

from export.clip import Clip, box
from models.background import Background, bounce
from models.errors import PuppetError
from models.puppet import Puppet

BYTES = 1 << 30
"""That slots may take on the device: 6 minutes of the bundled puppet, 6 s in 1080p."""
AHEAD = 12
"""Frames that are made ready before they are shown."""


class Footage:
    """Frames of a puppet's background in slots. `slot` is to be called from one thread at a time."""

    def __init__(self, puppet: Puppet, device: torch.device, capacity: int = BYTES) -> None:
        """Make room; nothing is decoded before `start`.

        Args:
            puppet: whose background it is.
            device: where the slots are.
            capacity: bytes that they may take; there are always enough for `AHEAD` frames.
        """
        self._puppet = puppet
        self._frames = len(puppet.track.crop)
        with closing(self._background()) as background:
            first = self._decoded(background, 0)
        arrays = {field.name: getattr(first, field.name) for field in fields(first)}
        slots = min(self._frames, max(2 * AHEAD, capacity // sum(array.nbytes for array in arrays.values())))
        self._all = slots == self._frames
        self.tensors = {
            name: torch.tensor(array, device=device).repeat(slots, *[1] * (array.ndim - 1))
            for name, array in arrays.items()
        }
        """Arrays of `Clip`, a row for each slot."""
        self.box = box(puppet.track.crop, *first.frames.shape[1:3])
        """Rows and columns that any crop covers."""
        self._held = [-1] * slots
        """The frame in each slot; -1 while it is being written."""
        self._shown = 0
        self._changed = Condition()
        self._closed = self._ended = False
        self._failure = PuppetError(f"{puppet.folder / 'background.mp4'} cannot be decoded: see above.")
        self._thread = Thread(target=self._fill, name="footage", daemon=True)

    def start(self) -> None:
        """Begin to decode. Not while a CUDA graph is being recorded: other threads must not touch the device then."""
        self._thread.start()

    def slot(self, number: int) -> int:
        """Where frame `number` is, played forward and back; it stays there until the next call.

        Raises:
            PuppetError: the background cannot be read.
        """
        with self._changed:
            self._shown = number
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._ready(number) or self._ended)
            if not self._ready(number):
                raise self._failure
        return self._slot(number)

    def close(self) -> None:
        """Stop decoding."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _slot(self, number: int) -> int:
        return bounce(number, self._frames) if self._all else number % len(self._held)

    def _ready(self, number: int) -> bool:
        return self._held[self._slot(number)] == bounce(number, self._frames)

    def _next(self) -> int | None:
        """The first frame ahead that is not there yet."""
        return next((n for n in range(self._shown, self._shown + AHEAD) if not self._ready(n)), None)

    def _fill(self) -> None:
        """The thread: one frame after the other."""
        try:
            with closing(self._background()) as background:
                while (number := self._wanted()) is not None:
                    slot = self._slot(number)
                    self._write(slot, self._decoded(background, number))
                    with self._changed:
                        self._held[slot] = bounce(number, self._frames)
                        self._changed.notify_all()
        except PuppetError as failure:
            self._failure = failure
        finally:  # nobody is to wait for a thread that has ended
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _wanted(self) -> int | None:
        """Wait for a frame to be wanted and clear its slot; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._next() is not None)
            number = None if self._closed else self._next()
            if number is not None:
                self._held[self._slot(number)] = -1
            return number

    def _background(self) -> Background:
        return Background(self._puppet.folder / "background.mp4", self._frames)

    def _decoded(self, background: Background, number: int) -> Clip:
        return Clip.of_frames(self._puppet, [bounce(number, self._frames)], [background.frame(number)])

    def _write(self, slot: int, row: Clip) -> None:
        for name, tensor in self.tensors.items():
            tensor[slot] = torch.from_numpy(getattr(row, name)[0])
        if tensor.is_cuda:
            torch.cuda.current_stream().synchronize()
