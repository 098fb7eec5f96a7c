"""When lips meet: a logistic regression on the trained trunk, mixed into the opening of the mouth.

A predictor by squared error hedges: where the lips meet for 60 ms it only opens the mouth a little less. The log odds
that they meet dip more sharply at the same moments, and correlate with the opening almost as well as its own
prediction does. Being linear in the trunk's outputs they cost nothing: they go into the head's weights.

Letters: T hops, C channels of the trunk, D look-aheads, R lip components.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64
from numpy.typing import NDArray

from models.expression_net import ExpressionNet
from models.training.folds import Spoken
from models.training.linear_path import DELAYS, shifted

SHUT_SHARE = 0.15
"""Of a clip, the least open frames: lips that meet."""
PENALTY = 2e-2
ROUNDS = 8
"""Of Newton's method; it has long converged."""


def log_odds(
    trunk: Sequence[Float32[NDArray[np.float32], "_ C"]],
    shut: Sequence[Bool[NDArray[np.bool_], " _"]],
    weights: Sequence[float],
) -> Float64[NDArray[np.float64], " C"]:
    """Weights of a penalised logistic regression; clips count by weight, channels by their own spread."""
    x = np.concatenate(trunk).astype(np.float64)
    y = np.concatenate(shut).astype(np.float64)
    each = np.concatenate([np.full(len(rows), weight / len(rows)) for rows, weight in zip(trunk, weights, strict=True)])
    each /= each.sum()
    mean, spread = each @ x, np.sqrt(each @ x**2 - (each @ x) ** 2) + 1e-6
    x = np.concatenate([(x - mean) / spread, np.ones((len(x), 1))], 1)
    penalty = np.append(np.full(x.shape[1] - 1, PENALTY), 0.0)
    found = np.zeros(x.shape[1])
    for _ in range(ROUNDS):
        chance = 1 / (1 + np.exp(-x @ found))
        slope = x.T @ (each * (chance - y)) + penalty * found
        bend = (x * (each * chance * (1 - chance) + 1e-9)[:, None]).T @ x + np.diag(penalty)
        found -= np.linalg.solve(bend, slope)
    return found[:-1] / spread


def sharpen_closures(net: ExpressionNet, spoken: Sequence[Spoken], sharpness: float) -> None:
    """Mix the log odds of closed lips into the head, in place; the spread of the opening stays.

    Args:
        net: trained and folded.
        spoken: recordings of people.
        sharpness: spread of the log odds as a share of that of the predicted opening.
    """
    gap = net.gap.double().numpy()
    heard = [_hear(net, clip) for clip in spoken]
    weights = [clip.weight for clip in spoken]
    opening = [clip.target @ gap for clip in spoken]
    shut = [o <= np.quantile(o[clip.counts], SHUT_SHARE) for o, clip in zip(opening, spoken, strict=True)]
    for d, delay in enumerate(DELAYS):
        known = [shifted(clip.counts, delay) & (np.arange(len(clip.counts) - 1) >= delay) for clip in spoken]
        rows = [trunk[k] for (trunk, _), k in zip(heard, known, strict=True)]
        odds = log_odds(rows, [shifted(s, delay)[k] for s, k in zip(shut, known, strict=True)], weights)
        said = np.concatenate([components[d].T[k] @ gap for (_, components), k in zip(heard, known, strict=True)])
        dips = np.concatenate(rows) @ odds
        mixed = sharpness * said.std() / dips.std()
        size = said.std() / (said - mixed * dips).std()
        part = slice(d * net.size.components, (d + 1) * net.size.components)
        change = torch.from_numpy(np.outer(net.part.numpy(), -mixed * odds)).float()
        along = torch.eye(net.size.components) + (size - 1) * torch.outer(net.part, net.gap)
        with torch.no_grad():
            net.shut[d] = torch.from_numpy(odds).float()
            net.head.weight[part, :, 0] = along @ (net.head.weight[part, :, 0] + change)
            net.linear.taps.weight[part] = torch.einsum("ij,jck->ick", along, net.linear.taps.weight[part])


def _hear(net: ExpressionNet, clip: Spoken) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    with torch.inference_mode():
        features = torch.from_numpy(clip.features)[None]
        trunk, _ = net.trunk(features, net.trunk.initial_state(1))
        components, _, _ = net.components(features, net.initial_state())
    return trunk[0].T.numpy(), components[0].numpy()
