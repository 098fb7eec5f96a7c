"""Sound to expression: one causal network whose single set of weights serves every look-ahead of the dial.

Letters: B batch, T hops of 10 ms, M members of the ensemble, D look-aheads, R lip components, K coefficients of the
`tracked` face model.

A trunk of dilated causal convolutions hears the past; a head per look-ahead reads from it the face as it was that long
ago, and a linear path (in effect a ridge regression on the features) is added, since either alone is worse. Neither has
a bias: silence is zero at the input, so it is the closed face at rest at the output, by construction. For sounds that
are no speech there is a gate.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import reduce
from operator import or_
from pathlib import Path

import torch
from jaxtyping import Float, Int
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from models.audio_encoder import FEATURES, HOP, SAMPLE_RATE, AudioEncoder, State
from models.row_convolution import convolve
from models.speech_gate import SpeechGate, opened

DIAL = (0, 40, 80, 160, 240)
"""Look-aheads in ms. The row of hop h is the face at sample 160·(h+1) - 16·look-ahead."""
BENDS = 8
"""Corners of the curve from the predicted opening of the mouth to the one shown."""
FORMAT = "marotte-expression"
BUNDLED = Path(__file__).parent / "bundled" / "expression.safetensors"


@dataclass(frozen=True, slots=True)
class Size:
    """Numbers that fix the network's shape."""

    coefficients: int
    """K."""
    components: int = 12
    """R: directions in which lips move; the rest of the face follows them linearly."""
    members: int = 3
    """M: trunks trained side by side and averaged."""
    channels: int = 64
    """Per member."""
    kernel: int = 5
    dilations: tuple[int, ...] = (1, 2, 4, 8)
    past: int = 20
    """Hops before the moment shown that the linear path hears."""

    @property
    def reach(self) -> int:
        """Hops that the linear path hears in all."""
        return self.past + max(DIAL) * SAMPLE_RATE // 1000 // HOP


class Trunk(nn.Module):
    """M causal convolutional networks side by side, as groups of one."""

    def __init__(self, size: Size, dropout: float = 0.0) -> None:
        super().__init__()
        width, groups = size.members * size.channels, size.members
        self.entry = nn.Conv1d(FEATURES, width, size.kernel, bias=False)
        self.blocks = nn.ModuleList(
            nn.Conv1d(width, width, size.kernel, dilation=d, groups=groups, bias=False) for d in size.dilations
        )
        self.dropout = nn.Dropout2d(dropout)  # of whole channels
        self.past = size.kernel - 1
        self.lengths = [self.past * d for d in size.dilations]

    def initial_state(self, batch: int) -> State:
        """Memory after silence."""
        return {"features": torch.zeros(batch, FEATURES, self.past)} | self.deep_state(batch)

    def deep_state(self, batch: int) -> State:
        """Memory of the blocks."""
        return {f"trunk{i}": torch.zeros(batch, self.entry.out_channels, 1, n) for i, n in enumerate(self.lengths, 1)}

    def forward(self, x: Float[Tensor, "B features T"], state: State) -> tuple[Float[Tensor, "B channels T"], State]:
        heard = torch.cat([state["features"], x], 2)
        deep, after = self.deep(nn.functional.silu(self.entry(heard)), state)
        return deep, after | {"features": heard[:, :, -self.past :]}

    def deep(self, x: Float[Tensor, "B channels T"], state: State) -> tuple[Float[Tensor, "B channels T"], State]:
        """The blocks after the entry."""
        after: State = {}
        row = x[:, :, None]
        for i, (block, length) in enumerate(zip(self.blocks, self.lengths, strict=True), 1):
            heard = torch.cat([state[f"trunk{i}"], row], 3)
            after[f"trunk{i}"] = heard[..., -length:]
            row = row + self.dropout(nn.functional.silu(convolve(heard, block)))
        return row[:, :, 0], after


class LinearPath(nn.Module):
    """Regression on the features of the last `reach` hops, averaged in pairs."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.past = size.reach - 1
        outputs = len(DIAL) * size.components
        self.taps = nn.Conv1d(FEATURES, outputs, size.reach // 2, dilation=2, bias=False)

    def initial_state(self, batch: int) -> State:
        """Memory after silence."""
        return {"features": torch.zeros(batch, FEATURES, self.past)}

    def forward(self, x: Float[Tensor, "B features T"], state: State) -> tuple[Float[Tensor, "B outputs T"], State]:
        heard = torch.cat([state["features"], x], 2)
        return self.taps(pairs(heard)), {"features": heard[:, :, -self.past :]}


def pairs(heard: Float[Tensor, "B features T"]) -> Float[Tensor, "B features pairs"]:
    """Each hop averaged with the one before."""
    return nn.functional.avg_pool1d(heard, 2, 1)


class ExpressionNet(nn.Module):
    """The network that is shipped: members averaged, linear paths folded into one."""

    decode: Tensor
    gap: Tensor
    part: Tensor
    bends: Tensor
    slopes: Tensor
    shut: Tensor

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size
        self.encoder = AudioEncoder()
        self.trunk = Trunk(size)
        outputs = len(DIAL) * size.components
        self.head = nn.Conv1d(size.members * size.channels, outputs, 1, bias=False)
        self.gate = SpeechGate(len(DIAL))
        self.linear = LinearPath(size)
        self.register_buffer("decode", torch.zeros(size.components, size.coefficients))
        """Lip components (standardised) -> coefficients."""
        self.register_buffer("gap", torch.zeros(size.components))
        """Lip components -> opening of the inner lips against the mouth at rest."""
        self.register_buffer("part", torch.zeros(size.components))
        """How lips part by one unit of `gap`."""
        self.register_buffer("bends", torch.zeros(BENDS))
        """Openings at which the curve from predicted to shown opening bends; the first is the closed mouth."""
        self.register_buffer("slopes", torch.eye(BENDS)[0])
        """By how much its slope changes there."""
        self.register_buffer("shut", torch.zeros(len(DIAL), size.members * size.channels))
        """Trunk -> log odds that the lips meet. Already in `head`; kept so that adaptation can mix it in again."""

    @staticmethod
    def look_ahead(index: int) -> int:
        """Samples after a moment that must have been heard before its expression comes out."""
        return DIAL[index] * SAMPLE_RATE // 1000

    def initial_state(self) -> State:
        """State of a stream that has heard nothing: all zeros."""
        parts = (
            self.encoder.initial_state(),
            self.linear.initial_state(1),
            self.trunk.deep_state(1),
            self.gate.deep_state(1),
        )
        return reduce(or_, parts)

    def components(
        self, features: Float[Tensor, "B features T"], state: State
    ) -> tuple[Float[Tensor, "B D R T"], Float[Tensor, "B D 1 T"], State]:
        """Lip components for every look-ahead as if somebody spoke, the gate to multiply them with, the new state."""
        trunk, heard, gate, after = self._hear(features, state)
        open_lips = (self.head(trunk) + self.linear.taps(pairs(heard))).unflatten(1, (len(DIAL), self.size.components))
        return open_lips, gate[:, :, None], after

    def _hear(
        self, features: Float[Tensor, "B features T"], state: State
    ) -> tuple[Float[Tensor, "B channels T"], Float[Tensor, "B features past"], Float[Tensor, "B D T"], State]:
        """Everything that comes before the lips: the trunk, the features with their past, the gate, the new state."""
        heard = torch.cat([state["features"], features], 2)
        # Trunk and gate begin alike, so their first layers are one.
        entry, judge = self.trunk.entry, self.gate.entry
        assert judge.bias is not None
        bias = torch.cat([torch.zeros(entry.out_channels, device=judge.bias.device), judge.bias])
        recent = heard[:, :, self.linear.past - self.trunk.past :]
        first = nn.functional.conv1d(recent, torch.cat([entry.weight, judge.weight]), bias)
        deep, judged = torch.split(nn.functional.silu(first), [entry.out_channels, judge.out_channels], 1)
        trunk, memory = self.trunk.deep(deep, state)
        gate, doubts = self.gate.deep(judged, state)
        return trunk, heard, opened(gate), {"features": heard[:, :, -self.linear.past :]} | memory | doubts

    def forward(
        self, samples: Float[Tensor, "1 samples"], look_ahead: Int[Tensor, ""], state: State
    ) -> tuple[Float[Tensor, "T K"], State]:
        """Expressions of whole hops of sound.

        Args:
            samples: 160·T samples at 16 kHz, -1..1.
            look_ahead: index into DIAL; may change between calls.
            state: what the call before gave back, or `initial_state()`.

        Returns:
            Coefficients for each hop, as differences from the closed face at rest, and the new state. Any cutting of
            the sound into calls gives the same rows.
        """
        features, after = self.encoder(samples, state)
        trunk, heard, gate, memory = self._hear(features, state)
        # Of the weights only those of one look-ahead are read: fetching them takes longer than computing.
        head, taps = (
            layer.weight.reshape(len(DIAL), self.size.components, *layer.weight.shape[1:])[look_ahead]
            for layer in (self.head, self.linear.taps)
        )
        lips = nn.functional.conv1d(trunk, head) + nn.functional.conv1d(pairs(heard), taps, dilation=2)
        chosen = (lips * gate[:, look_ahead]).reshape(self.size.components, -1).T
        # The curve is zero below the first bend: lips that meet do not pass through one another.
        bent = torch.relu(chosen @ self.gap[:, None] - self.bends)
        apart = self.part @ self.decode
        decode = torch.cat([self.decode - torch.outer(self.gap, apart), torch.outer(self.slopes, apart)])
        return torch.cat([chosen, bent], 1) @ decode, after | memory

    def step(self, samples: Float[Tensor, "1 samples"], state: State, look_ahead: int) -> tuple[Tensor, State]:
        """`forward` without gradients, for use outside an engine."""
        if samples.shape[1] == 0 or samples.shape[1] % HOP:
            raise ValueError(f"{samples.shape[1]} samples came; whole hops of {HOP} are needed, so buffer the rest.")
        with torch.inference_mode():
            return self(samples, torch.tensor(look_ahead), state)

    def save(self, path: Path) -> None:
        """Write weights and size as safetensors; nothing half-written is left under `path`."""
        size = {key: ",".join(map(str, v)) if isinstance(v, tuple) else str(v) for key, v in asdict(self.size).items()}
        tensors = {name: tensor.contiguous() for name, tensor in self.state_dict().items()}
        temporary = path.with_name(f".{path.name}.part")
        save_file(tensors, temporary, {"format": FORMAT, **size})
        temporary.chmod(0o644)  # safetensors makes it private
        temporary.replace(path)

    @classmethod
    def universal(cls) -> ExpressionNet:
        """The bundled network for anybody's voice; trained by training/train_expression.py."""
        return cls.load(BUNDLED)

    @classmethod
    def load(cls, path: Path) -> ExpressionNet:
        """Read what `save` wrote."""
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
            if metadata.pop("format", None) != FORMAT:
                raise ValueError(f"{path} holds no expression network.")
            dilations = tuple(int(d) for d in metadata.pop("dilations").split(","))
            net = cls(Size(dilations=dilations, **{key: int(value) for key, value in metadata.items()}))
            net.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118 (not a dict)
        return net.eval()
