"""What is written beside a stored engine, and the words for why one does not belong here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from export.engine import EngineError, Recipe, Signature

FORMAT = 2


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that must be the same when the engine is loaded, and what was measured when it was built."""

    format: int
    recipe: dict[str, Any]
    network: str
    """SHA-256 of the ONNX file that it was built from."""
    engine: str
    """SHA-256 of the engine's file."""
    sample: str
    """SHA-256 of the recorded frame that it is tried with."""
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    """Type and shape by name."""
    device: dict[str, str]
    """Name, capability, driver."""
    versions: dict[str, str]
    parity: dict[str, float]
    """What `parity.Figures` found against ONNX Runtime in fp32."""
    times_ms: dict[str, float]
    """Of one call when it was built, arrays in and arrays out: p10, p50 and p99, as the machine was then."""
    created: str
    """ISO 8601 moment."""

    def save(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Manifest:
        """Read what `save` wrote. Raises `EngineError` for anything else."""
        try:
            manifest = cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise EngineError(f"{path} is not the manifest of an engine.") from error
        if manifest.format != FORMAT:
            raise EngineError(f"{path} has format {manifest.format}, this program reads {FORMAT}.")
        return manifest

    @property
    def signature(self) -> Signature:
        """Inputs and outputs as the engines take them."""
        inputs, outputs = (
            {name: (kind, tuple(shape)) for name, (kind, shape) in described.items()}
            for described in (self.inputs, self.outputs)
        )
        return Signature(inputs, outputs)

    def check(
        self, folder: Path, network: str, recipe: Recipe, device: Mapping[str, str], here: Mapping[str, str]
    ) -> None:
        """Raise `EngineError` unless the engine in `folder` was built for all this.

        Args:
            folder: where the engine lies.
            network: SHA-256 of the ONNX file that is asked for.
            recipe: how it is to be run.
            device: this machine's; see `device.describe`.
            here: versions of the installed libraries.
        """
        if self.network != network:
            raise EngineError(f"{folder} was built from another network than the puppet's.")
        expected = {
            "engine": asdict(recipe),
            "device": dict(device),
            "library": dict(here),
        }
        found = {"engine": self.recipe, "device": self.device, "library": self.versions}
        for what, wanted in expected.items():
            for key in sorted(wanted.keys() | found[what].keys()):
                came, needed = found[what].get(key, "nothing"), wanted.get(key, "nothing")
                if came != needed:
                    raise EngineError(f"{folder} was built for {what} {key} {came}, here it is {needed}.")


def fingerprint(path: Path) -> str:
    """SHA-256 of a file. Raises `EngineError` if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EngineError(f"{path} cannot be read: {error.strerror}.") from error
