"""AudioDVP's fit: weights are read without running anything, and what is learned comes nearer to the clip."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from face_clips import made_up_clip

import calibrate
from models.camera import Camera
from models.errors import FaceModelError, InputError
from models.face_model import FaceModel
from models.rasterize import Surface
from models.training import fit_resnet
from models.training.fit_steps import Motion
from models.training.resnet50 import FEATURES, ResNet50, load_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random numbers in the format of VGGFace2's, classifier and all."""
    torch.manual_seed(3)
    arrays = {name: tensor.numpy() for name, tensor in ResNet50().state_dict().items() if tensor.dim()}
    arrays["fc.bias"] = np.zeros(8631, np.float32)
    path = tmp_path_factory.mktemp("weights") / "resnet50_ft_weight.pkl"
    path.write_bytes(pickle.dumps(arrays, protocol=2))
    return path


def test_weights_are_read(weights: Path):
    arrays = pickle.loads(weights.read_bytes())
    read = load_weights(weights).state_dict()
    assert sum(tensor.numel() for tensor in read.values() if tensor.dim()) == pytest.approx(23.56e6, rel=0.01)
    np.testing.assert_array_equal(read["layer4.2.conv3.weight"], arrays["layer4.2.conv3.weight"])
    np.testing.assert_array_equal(read["layer2.0.downsample.1.running_var"], 1)


def test_the_first_convolution_of_a_stage_halves_the_picture():
    """Caffe's layout, unlike torchvision's."""
    stages = ResNet50()
    for number in (2, 3, 4):
        first = stages.get_submodule(f"layer{number}.0")
        assert (first.conv1.stride, first.conv2.stride) == ((2, 2), (1, 1))
    assert stages.get_submodule("layer1.0").conv1.stride == (1, 1)


class Malice:
    def __reduce__(self):
        return Path.touch, (Path("never"),)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (pickle.dumps({"conv1.weight": Malice()}), "asks for pathlib"),
        (pickle.dumps([1, 2]), "holds a list"),
        (pickle.dumps({"conv1.weight": np.zeros(3, np.float32)}), "is it VGGFace2's"),
        (b"nothing of the kind", "no file of weights"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, says: str):
    (tmp_path / "weights.pkl").write_bytes(content)
    with pytest.raises(FaceModelError, match=says):
        load_weights(tmp_path / "weights.pkl")
    with pytest.raises(FaceModelError, match="cannot be read"):
        load_weights(tmp_path / "absent.pkl")


class SmallNetwork(torch.nn.Module):
    """In the place of the large one, so that a test need not wait: all it sees is the mean colour."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, FEATURES)

    def forward(self, picture):
        return torch.tanh(self.layer(10 * picture.mean(dim=(2, 3))))


def test_a_fit_comes_nearer_to_the_clip(monkeypatch: pytest.MonkeyPatch):
    """A made-up person on a ground whose colour tells the frame."""
    monkeypatch.setattr(fit_resnet, "SIDE", 64)
    monkeypatch.setattr(fit_resnet, "NETWORK_RATE", 5e-5)
    monkeypatch.setattr(fit_resnet, "load_weights", lambda path: SmallNetwork())
    face = FaceModel.tracked()
    truth = made_up_clip(face, frames=10)
    pictures = [np.full((256, 256, 3), (90 + 9 * n, 120, 160 - 9 * n), np.uint8) for n in range(10)]

    def error(rounds: int) -> float:
        torch.manual_seed(0)
        monkeypatch.setattr(fit_resnet, "ROUNDS", rounds)
        steps: list[tuple[int, int]] = []
        fitted = fit_resnet.fit_resnet(pictures, truth.track, face, Path(), lambda *at: steps.append(at))
        assert len(steps) == 2 * rounds
        assert steps[-1:] in ([], [(2 * rounds, 2 * rounds)])
        assert np.isfinite(fitted.expression).all()
        assert fitted.face.identity.shape[0] == 0
        return float(fitted.residual.mean())

    assert error(8) < 0.95 * error(0)


def test_the_picture_alone_pulls_light_and_albedo():
    """Through the rasterizer's gradients, without a landmark."""
    face = FaceModel.tracked()
    truth = made_up_clip(face, frames=10)
    camera = Camera(128.0, 32.0, 32.0, 64, 64)
    begin = Motion(truth.rotation.astype(float), truth.translation.astype(float), truth.expression.astype(float))
    fitted = fit_resnet.Face(face, begin, camera, SmallNetwork(), "cpu")
    fitted.surface = Surface(64, 64, face.triangles)
    fitted.weight.zero_()
    pictures = torch.full((5, 64, 64, 3), 200, dtype=torch.uint8)
    loss = fitted.loss(pictures, torch.zeros(5, len(face.landmarks), 2))
    loss.backward()
    assert fitted.albedo.grad.sum() < 0  # the clip is brighter than what is drawn
    assert fitted.head.bias.grad[len(face.expression)] < 0
    assert fitted.identity.grad.abs().max() > 0


def test_the_command_wants_both_or_neither(tmp_path: Path):
    for options in ({"fit": calibrate.Fit.resnet50}, {"weights": tmp_path / "weights.pkl"}):
        with pytest.raises(InputError, match="--fit resnet50 needs --weights"):
            calibrate.calibrate(tmp_path / "me.mp4", tmp_path / "me", "It is me", **options)
