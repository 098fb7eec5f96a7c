"""A renderer of 16 × 16 px and a voice network with one number of memory: what engines are tried with in tests."""

from pathlib import Path

import numpy as np
import torch

from export import parity
from export.onnx_file import write
from export.onnxruntime_engine import OnnxRuntimeNetwork


class ToyRenderer(torch.nn.Module):
    """Bytes in, bytes out, by two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = torch.nn.Conv2d(4, 16, 3, padding=1)
        self.second = torch.nn.Conv2d(16, 3, 3, padding=1)

    def forward(self, photo: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = torch.cat([photo, mask], 3).permute(0, 3, 1, 2).float() / 127.5 - 1
        rgb = self.second(torch.relu(self.first(x))) * 0.2 + 0.5
        return (rgb * 255 + 0.5).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1), (mask.float() * 0.5).to(torch.uint8)


def write_toy(folder: Path) -> Path:
    """renderer.onnx in `folder`."""
    path = folder / "renderer.onnx"
    inputs = {
        "photo": torch.zeros(1, 16, 16, 3, dtype=torch.uint8),
        "mask": torch.zeros(1, 16, 16, 1, dtype=torch.uint8),
    }
    write(ToyRenderer(), inputs, ("rgb", "alpha"), path)
    return path


def feeds(count: int = 3) -> list[dict[str, np.ndarray]]:
    """Pictures of noise with a hole in the middle."""
    rng = np.random.default_rng(0)
    mask = np.zeros((1, 16, 16, 1), np.uint8)
    mask[:, 4:12, 4:12] = 255
    return [{"photo": rng.integers(0, 256, (1, 16, 16, 3), dtype=np.uint8), "mask": mask} for _ in range(count)]


def reference(onnx: Path) -> list[parity.Outputs]:
    """What the network gives for them."""
    return list(parity.run(OnnxRuntimeNetwork(onnx, 1), feeds()))
