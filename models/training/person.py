"""A person's clip in the universal voice network's terms, and regressions of how the person differs.

Letters: T hops, D look-aheads, R lip components.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64
from numpy.typing import NDArray

from models.expression_net import DIAL, ExpressionNet
from models.training.linear_path import DELAYS, Heard, Regression, as_taps, shifted, windows

MARGIN = 50
"""Hops left out at both sides of a held-out block, since neighbours tell too much."""
DIALS = range(len(DIAL))

Opening = Float[NDArray[np.floating], " T"]


@dataclass(frozen=True, slots=True)
class Score:
    """Agreement of the mouth's opening with the person's."""

    r: float
    amplitude: float
    """Spread as a share of the person's."""


@dataclass(frozen=True, slots=True)
class Person:
    """What the network makes of the clip's sound, and what the face does at each hop boundary."""

    heard: Heard
    target: Float32[NDArray[np.float32], "T1 R"]
    """Components, from the person's mouth at rest."""
    valid: Bool[NDArray[np.bool_], " T1"]
    gap: Float64[NDArray[np.float64], " R"]
    """Components -> opening of the inner lips, cm."""

    def shown(self, d: int) -> Float32[NDArray[np.float32], "T R"]:
        """Components that each hop shows at one look-ahead."""
        return shifted(self.target, DELAYS[d])

    def counts(self, d: int) -> Bool[NDArray[np.bool_], " T"]:
        """Hops whose face is known."""
        counts = shifted(self.valid, DELAYS[d])
        counts[: DELAYS[d]] = False
        return counts

    def mean(self, d: int) -> Float64[NDArray[np.float64], " R"]:
        """Mean components in speech."""
        return self.shown(d)[self.counts(d) & self.heard.loud].mean(0, np.float64)

    def score(self, opening: Opening, d: int) -> Score:
        """How well an opening agrees with the person's."""
        counts = self.counts(d)
        said, true = opening[counts], (self.shown(d) @ self.gap)[counts]
        if said.std() < 1e-9 or true.std() < 1e-9:
            return Score(0.0, 0.0)
        return Score(float(np.corrcoef(said, true)[0, 1]), float(said.std() / true.std()))


class PersonFit:
    """Regressions of the person's components, over the whole clip and over each held-out block."""

    def __init__(self, person: Person, net: ExpressionNet, blocks: int) -> None:
        self._person, self._net = person, net
        self._part = net.part.double().numpy() / (net.part.double().numpy() @ person.gap)
        count = person.heard.features.shape[1]
        edges = np.linspace(0, count, blocks + 1).astype(int)
        self._blocks = [np.arange(a, b) for a, b in pairwise(edges)]
        self._size: list[float] = []
        self._scale: list[float] = []
        self._inputs: list[NDArray[np.float32]] = []
        self._whole: list[Regression] = []
        self._parts: list[list[Regression]] = []
        for d in DIALS:
            x, y, counts = self._rows(d)
            self._inputs.append(x)
            self._whole.append(_sums(x, y, counts))
            parts = []
            for block in self._blocks:
                near = np.zeros(count, np.bool_)
                near[max(block[0] - MARGIN, 0) : block[-1] + 1 + MARGIN] = True
                parts.append(_sums(x, y, counts & near))
            self._parts.append(parts)

    def _rows(self, d: int) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
        """Inputs (universal components, then features), what the universal ones miss, and which hops count."""
        person = self._person
        own = person.heard.components[d].T
        target, counts = person.shown(d), person.counts(d)
        scale = float((own[counts] * target[counts]).sum() / (own[counts] ** 2).sum())
        self._scale.append(scale)
        self._size.append(float(np.sqrt(target[counts].var(0).sum() / own[counts].var(0).sum())))
        heard = windows(person.heard.features, DELAYS[d], self._net.size.past) * person.heard.gate[d][:, None]
        return np.concatenate([own, heard], 1), target - scale * own, counts

    def held_out(
        self, penalty: float | None, sharpness: float
    ) -> tuple[Float64[NDArray[np.float64], "D R T"], Float64[NDArray[np.float64], " D"]]:
        """Each block as predicted from the others; without a penalty only the size is fitted.

        A correction by squared error blurs the closures, so the log odds that the lips meet are mixed in once more.

        Args:
            penalty: of the ridge correction.
            sharpness: spread of what is mixed in as a share of that of the opening.

        Returns:
            Components, and the factors on the log odds that belong to them.
        """
        scale = self._size if penalty is None else self._scale
        out = np.stack([s * u for s, u in zip(scale, self._person.heard.components, strict=True)]).astype(np.float64)
        dips = np.zeros(len(DIAL))
        if penalty is not None:
            for d in DIALS:
                for block, part in zip(self._blocks, self._parts[d], strict=True):
                    weights = self._whole[d].without(part).solve(penalty)
                    out[d][:, block] += (self._inputs[d][block] @ weights).T
                spoken = self._person.counts(d) & self._person.heard.loud
                odds = self._person.heard.odds[d]
                opening = self._person.gap @ out[d]
                dips[d] = sharpness * opening[spoken].std() / max(float(odds[spoken].std()), 1e-9)
                out[d] -= np.outer(self._part, dips[d] * odds)
        return out, dips

    def folded(self, penalty: float | None, dips: Float64[NDArray[np.float64], " D"]) -> ExpressionNet:
        """A copy of the network with the correction in its weights; see `held_out`."""
        net, size = copy.deepcopy(self._net), self._net.size
        with torch.no_grad():
            for d in DIALS:
                rows = slice(d * size.components, (d + 1) * size.components)
                mixing = (self._size if penalty is None else self._scale)[d] * np.eye(size.components)
                extra = np.zeros_like(net.linear.taps.weight[rows].numpy())
                if penalty is not None:
                    weights = self._whole[d].solve(penalty)
                    mixing = mixing + weights[: size.components].T
                    extra = as_taps(weights[size.components :], size)
                mix = torch.from_numpy(mixing).float()
                net.head.weight[rows] = torch.einsum("ij,jck->ick", mix, net.head.weight[rows])
                net.linear.taps.weight[rows] = torch.einsum("ij,jck->ick", mix, net.linear.taps.weight[rows])
                net.linear.taps.weight[rows] += torch.from_numpy(extra)
                lower = torch.from_numpy(self._part * dips[d]).float()
                net.head.weight[rows, :, 0] -= torch.outer(lower, net.shut[d])
        return net


def _sums(x: NDArray[np.float32], y: NDArray[np.float32], counts: Bool[NDArray[np.bool_], " T"]) -> Regression:
    sums = Regression()
    sums.add(x[counts], y[counts], float(counts.sum()))
    return sums
