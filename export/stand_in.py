"""Networks replaced by identity, and networks that tell how long they take: what a benchmark compares with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Generic, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from models.network import Network
from models.voice_stream import HOP

R = TypeVar("R")


def stand_in(role: str, network: Network) -> Network:
    """What takes the place of the "voice" or the "renderer" network."""
    return StillVoice(network) if role == "voice" else PhotoRenderer()


class StillVoice:
    """Stands in for a voice network: the face at rest, a row per hop."""

    def __init__(self, network: Network) -> None:
        """A stand-in with as many coefficients as the network gives for one hop of silence."""
        hop: dict[str, NDArray[Any]] = {"samples": np.zeros((1, HOP), np.float32), "look_ahead": np.array(0, np.int64)}
        self._coefficients = network({**hop, **network.initial_state()})["expression"].shape[1]

    def __call__(self, feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        return {"expression": np.zeros((feed["samples"].shape[1] // HOP, self._coefficients), np.float32)}

    def initial_state(self) -> dict[str, NDArray[Any]]:
        return {}


class PhotoRenderer:
    """Stands in for the renderer: shows the photo that it is given."""

    def __call__(self, feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        return {"rgb": feed["photo"], "alpha": feed["mask"]}

    def initial_state(self) -> dict[str, NDArray[Any]]:
        return {}


class Timed(Generic[R]):
    """A network or a portrait whose runs are measured."""

    def __init__(self, part: Callable[..., R], measure: Callable[[], AbstractContextManager[None]]) -> None:
        self._part = part
        self._measure = measure

    def __call__(self, *given: object) -> R:
        with self._measure():
            return self._part(*given)

    def initial_state(self) -> dict[str, NDArray[Any]]:
        """Of a network."""
        return cast(Network, self._part).initial_state()
