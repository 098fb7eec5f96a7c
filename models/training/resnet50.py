"""ResNet-50 as AudioDVP fits faces with it, and a reader of its weights that runs nothing.

The layout is Caffe's, in which VGGFace2's weights were published: a stage halves the picture in its first 1 × 1
convolution. The file is a pickled dictionary of arrays, `resnet50_ft_weight.pkl` of VGGFace2-pytorch; unpickling can
run any program, so only what arrays are made of is let through.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.errors import FaceModelError

STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))
"""Width and number of blocks."""
EXPANSION = 4
FEATURES = 2048
HARMLESS = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
    ("collections", "OrderedDict"),
}


class Bottleneck(nn.Module):
    """1 × 1, 3 × 3, 1 × 1 convolution around a shortcut."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, stride, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, EXPANSION * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(EXPANSION * width)
        self.downsample = (
            nn.Sequential(
                nn.Conv2d(inputs, EXPANSION * width, 1, stride, bias=False), nn.BatchNorm2d(EXPANSION * width)
            )
            if stride != 1 or inputs != EXPANSION * width
            else None
        )

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        """Run."""
        out = torch.relu(self.bn1(self.conv1(x)))
        out = torch.relu(self.bn2(self.conv2(out)))
        shortcut = x if self.downsample is None else self.downsample(x)
        return torch.relu(self.bn3(self.conv3(out)) + shortcut)


class ResNet50(nn.Module):
    """Picture -> features. The names of its parts are those of the weights."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)  # Caffe rounds up
        inputs = 64
        for number, (width, blocks) in enumerate(STAGES, 1):
            stage = []
            for block in range(blocks):
                stage.append(Bottleneck(inputs, width, 2 if number > 1 and block == 0 else 1))
                inputs = EXPANSION * width
            self.add_module(f"layer{number}", nn.Sequential(*stage))

    def forward(self, picture: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 2048"]:
        """Mean features of the picture."""
        x = self.pool(torch.relu(self.bn1(self.conv1(picture))))
        for number in range(1, len(STAGES) + 1):
            x = self.get_submodule(f"layer{number}")(x)
        return x.mean(dim=(2, 3))


class ArraysOnly(pickle.Unpickler):
    """Makes arrays and nothing else."""

    def find_class(self, module: str, name: str) -> object:
        """What a pickle asks for by name."""
        if (module, name) not in HARMLESS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which weights do not need")
        found: object = super().find_class(module, name)
        return found


def load_weights(path: Path) -> ResNet50:
    """The network with VGGFace2's weights; its classifier is left out.

    Raises FaceModelError for a file that is missing, asks for anything but arrays, or holds other weights.
    """
    try:
        with path.open("rb") as file:
            found = ArraysOnly(file, encoding="latin1").load()
    except OSError as error:
        raise FaceModelError(f"{path} cannot be read: {error.strerror}.") from error
    except Exception as error:  # a damaged pickle may fail in any way
        raise FaceModelError(f"{path} is no file of weights: {error}.") from error
    if not isinstance(found, dict):
        raise FaceModelError(f"{path} holds a {type(found).__name__}, expected a dictionary of arrays.")
    network = ResNet50()
    wanted = {name: tensor for name, tensor in network.state_dict().items() if tensor.dim()}  # all but counters
    for name, tensor in wanted.items():
        array = found.get(name)
        if not isinstance(array, np.ndarray) or array.shape != tuple(tensor.shape):
            have = f"{array.shape}" if isinstance(array, np.ndarray) else "nothing"
            raise FaceModelError(
                f"{path}: {name} is {have}, expected {tuple(tensor.shape)}; is it VGGFace2's ResNet-50?"
            )
    network.load_state_dict({name: torch.from_numpy(found[name].astype(np.float32)) for name in wanted}, strict=False)
    return network
