"""A whole frame as one CUDA graph: samples in, picture out, one copy each way, nothing allocated.

Audio step, face model, rasterizer, renderer, composite and colours, for B sessions at once, are recorded once with
static buffers and replayed for every frame. The background lies on the GPU.

    graph = FrameGraph(puppet, Clip.of(puppet), batch=1, look_ahead_ms=80)
    graph.hear(samples)                    # first the look-ahead, whole frames of it
    picture = graph.step(samples, [0])     # then a frame's samples and the number of the frame

On the CPU the same steps run one by one, which is how they are tested without a GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from numpy.typing import NDArray
from torch import Tensor

from export.clip import Clip
from export.compiled import built
from export.drawing import Drawing
from export.engine import Device, EngineError, Precision, Recipe
from export.replay import Replay
from export.torch_engine import module
from models.puppet import Puppet
from models.voice_stream import DIAL, HOP, SAMPLE_RATE


class FrameGraph:
    """Draws one puppet for `batch` sessions in step. To be used from one thread."""

    def __init__(
        self,
        puppet: Puppet,
        clip: Clip,
        batch: int = 1,
        look_ahead_ms: int = 80,
        precision: Precision = "fp16",
        device: Device = "cuda",
        fused: bool = False,
        i420: bool = False,
    ) -> None:
        """Record the graph.

        Args:
            puppet: who is shown; its rate must make a frame whole hops of 10 ms.
            clip: its background.
            batch: B, sessions that run in step.
            look_ahead_ms: of the voice network.
            precision: of the renderer.
            device: "cuda"; "cpu" runs the steps without a graph.
            fused: let Inductor compile all that is no kernel of ours; takes a minute.
            i420: give planes for an encoder instead of RGB.

        Raises:
            EngineError: the rate does not fit.
        """
        hops = Fraction(SAMPLE_RATE, HOP) / puppet.fps
        if hops.denominator != 1:
            raise EngineError(
                f"A frame at {puppet.fps} pictures a second is {float(hops)} hops; whole ones are needed."
            )
        self.samples = int(hops) * HOP
        """Of a frame."""
        self._back = max(0, int(hops) - look_ahead_ms * SAMPLE_RATE // 1000 // HOP)
        """Rows from the newest expression to the one that is shown."""
        self.batch = batch
        self._device = torch.device(device)
        self._drawing = Drawing(puppet, clip.on(device), clip.box, batch, precision, fused, i420)
        self._gain = torch.tensor(puppet.voice.gain.T.copy(), device=device)
        self._offset = torch.tensor(puppet.voice.offset, device=device)
        threads = torch.get_num_threads()
        self._voice = module(puppet.folder / "expression.onnx", Recipe("torch", "fp32", device, threads))
        shapes = {name: shape for name, shape in self._voice.shapes.items() if name.startswith("state.")}
        self._shapes = {name: tuple(size or 1 for size in shape) for name, shape in shapes.items()}
        self._shapes["rows"] = self._back + 1, len(self._gain)
        # All that is remembered in one tensor, since what is written at once takes one launch.
        self._memory = torch.zeros(batch, sum(map(prod, self._shapes.values())), device=device)
        self._dial = torch.tensor(DIAL.index(look_ahead_ms), device=device)

        pinned = self._device.type == "cuda"
        self._given = torch.zeros(batch, self.samples + 1, pin_memory=pinned)
        """Samples, and the number of the clip's frame (exact up to 2²⁴)."""
        self._input = torch.zeros(batch, self.samples + 1, device=device)
        self._hear = built(self._hearing, fused)
        self._replay = Replay(self._frame, self._device)
        self.reset()

    def reset(self) -> None:
        """All sessions have heard nothing."""
        self._memory.zero_()

    def hear(self, samples: Float32[NDArray[np.float32], "B samples"]) -> None:
        """Take in sound before the first frame: the look-ahead, in whole frames; what is drawn meanwhile is dropped."""
        for start in range(0, samples.shape[1], self.samples):
            self.step(samples[:, start : start + self.samples], [0] * self.batch)

    def step(
        self, samples: Float32[NDArray[np.float32], "B samples"], frames: Sequence[int]
    ) -> UInt8[NDArray[np.uint8], "B ..."]:
        """One frame for every session; the picture is valid until the next call.

        Args:
            samples: what each session hears next, one frame's worth.
            frames: number of the clip's frame behind each (`models.background.bounce`).
        """
        given = self._given.numpy()
        given[:, :-1] = samples
        given[:, -1] = frames
        return self._replay().numpy()

    def _frame(self) -> Tensor:
        """Everything from one copy to the other."""
        self._input.copy_(self._given, non_blocking=True)
        at = self._input[:, -1].long()
        self._drawing.begin(at)
        (shown,) = self._hear(self._input, self._memory)
        return self._drawing.end(shown, at)

    def _hearing(self, given: Tensor, memory: Tensor) -> tuple[Tensor]:
        """Samples and numbers of frames [B, n + 1] -> expressions [B, K]; the memory changes."""
        parts = torch.split(memory, [prod(shape) for shape in self._shapes.values()], 1)
        state = {name: part.reshape(-1, *self._shapes[name]) for name, part in zip(self._shapes, parts, strict=True)}
        named = state | {"samples": given[:, None, :-1], "look_ahead": self._dial}
        each = tuple(None if name == "look_ahead" else 0 for name in self._voice.inputs)
        found = torch.vmap(self._voice, each)(*(named[name] for name in self._voice.inputs))
        after = dict(zip(self._voice.outputs, found, strict=True))
        after["next_rows"] = torch.cat([state["rows"], after["expression"]], 1)[:, -self._back - 1 :]
        memory.copy_(torch.cat([after[f"next_{name}"].flatten(1) for name in self._shapes], 1))
        return (after["next_rows"][:, 0] @ self._gain + self._offset,)
