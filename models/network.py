"""What the live path asks of a trained network, whatever engine runs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray


@runtime_checkable  # for the checks of annotations in tests
class Network(Protocol):
    """Arrays in by name, arrays out by name. Inputs "state.x" come back as outputs "next_state.x"."""

    def __call__(self, feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run once. The outputs belong to the caller and stay valid after the next call."""
        ...

    def initial_state(self) -> dict[str, NDArray[Any]]:
        """The inputs "state.*" of a stream that has seen nothing: zeros. Empty for a network without a state."""
        ...
