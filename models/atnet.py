"""AudioDVP's audio encoder, for those who have its weights: AT-net's convolutions on MFCC.

Chen et al., *Hierarchical Cross-Modal Talking Face Generation with Dynamic Pixel-Wise Loss*, CVPR 2019; of the file
`atnet_lstm_18.pth` AudioDVP uses the audio encoder alone. It hears 175 ms ahead and is for comparison, offline.

Letters: N video frames of 40 ms, T hops of 10 ms.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64
from numpy.typing import NDArray
from torch import Tensor, nn

from models.errors import InputError

SAMPLE_RATE, HOP, WINDOW, BINS = 16_000, 160, 400, 512
BEFORE = 12
"""Hops that a frame's window begins before the frame; as many of silence are put before the sound."""
HOPS, HOPS_PER_FRAME = 28, 4
"""That a frame's window has, and that lie between frames."""
FILTERS, CEPSTRA, LIFTER, EMPHASIS = 26, 13, 22, 0.97
FEATURES = 256
PREFIX = "module."
"""Of all names in the file, which was saved from several GPUs."""


class AtNet(nn.Module):
    """The encoder, under the names that the file uses."""

    def __init__(self) -> None:
        super().__init__()
        self.audio_eocder = nn.Sequential(
            _convolution(1, 64),
            _convolution(64, 128),
            nn.MaxPool2d(3, (1, 2)),
            _convolution(128, 256),
            _convolution(256, 256),
            _convolution(256, 512),
            nn.MaxPool2d(3, 2),
        )
        self.audio_eocder_fc = nn.Sequential(
            nn.Linear(12 * 1024, 2048), nn.ReLU(), nn.Linear(2048, FEATURES), nn.ReLU()
        )

    def forward(self, windows: Float[Tensor, "N 28 12"]) -> Float[Tensor, "N 256"]:
        return self.audio_eocder_fc(self.audio_eocder(windows[:, None]).flatten(1))

    def hear(self, sound: Float32[NDArray[np.float32], " samples"]) -> Float32[NDArray[np.float32], "N 256"]:
        """Features of a whole sound, 16 kHz in -1..1; row n belongs to the frame from 40·n ms on."""
        frames = -(-len(sound) // (HOP * HOPS_PER_FRAME))
        padded = np.pad(sound, (BEFORE * HOP, frames * HOP * HOPS_PER_FRAME - len(sound) + 2 * BEFORE * HOP))
        cepstra = mfcc(padded)[:, 1:]  # the first one is the loudness
        view = np.lib.stride_tricks.sliding_window_view(cepstra, HOPS, axis=0)[::HOPS_PER_FRAME][:frames]
        with torch.inference_mode():
            return self(torch.tensor(view.transpose(0, 2, 1), dtype=torch.float32)).numpy()

    @classmethod
    def load(cls, path: Path) -> AtNet:
        """Read `atnet_lstm_18.pth`, of which nothing is run.

        Raises:
            InputError: there is no such file, or it holds something else.
        """
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
            tensors = {name.removeprefix(PREFIX): tensor for name, tensor in content.items()}
            net = cls()
            wanted = [
                name for name in net.state_dict() if not name.endswith("num_batches_tracked")
            ]  # newer than the file
            net.load_state_dict({name: tensors[name] for name in wanted}, strict=False)
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
        except (pickle.UnpicklingError, RuntimeError, EOFError, AttributeError, KeyError) as error:
            raise InputError(f"{path} does not hold the weights of AT-net as AudioDVP ships them ({error}).") from error
        return net.eval()


def mfcc(sound: Float[NDArray[np.floating], " samples"]) -> Float64[NDArray[np.float64], "T 13"]:
    """Mel-frequency cepstra as the package python_speech_features computes them by default.

    Pre-emphasis, rectangular windows, 26 triangles whose corners lie on bins, a sine lifter; the first is the energy.
    """
    emphasised = np.concatenate([sound[:1], sound[1:] - EMPHASIS * sound[:-1]])
    count = 1 + max(0, -(-(len(sound) - WINDOW) // HOP))
    padded = np.pad(emphasised, (0, max(0, (count - 1) * HOP + WINDOW - len(sound))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:count]
    power = np.abs(np.fft.rfft(frames, BINS)) ** 2 / BINS
    tiny = np.finfo(np.float64).eps
    bands = np.log(np.maximum(power @ _triangles().T, tiny))
    n = np.arange(FILTERS)
    cosines = np.cos(np.pi / FILTERS * np.outer(np.arange(CEPSTRA), n + 0.5)) * np.sqrt(2 / FILTERS)
    cepstra = bands @ cosines.T * (1 + LIFTER / 2 * np.sin(np.pi * np.arange(CEPSTRA) / LIFTER))
    cepstra[:, 0] = np.log(np.maximum(power.sum(1), tiny))
    return cepstra


def _triangles() -> Float64[NDArray[np.float64], "filters bins"]:
    highest = 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700)
    hertz = 700 * (10 ** (np.linspace(0, highest, FILTERS + 2) / 2595) - 1)
    corner = np.floor((BINS + 1) * hertz / SAMPLE_RATE)[:, None]
    bins = np.arange(BINS // 2 + 1)
    rising = (bins - corner[:-2]) / (corner[1:-1] - corner[:-2])
    falling = (corner[2:] - bins) / (corner[2:] - corner[1:-1])
    return np.clip(np.minimum(rising, falling), 0, None)


def _convolution(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())
