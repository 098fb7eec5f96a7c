"""AudioDVP's encoder from a file with the names and shapes of the real one, and its features."""

import os
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from models.atnet import AtNet, mfcc
from models.errors import InputError


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return AtNet().eval()


@pytest.fixture(scope="module")
def file(net, tmp_path_factory):
    """Everything that `atnet_lstm_18.pth` holds, in the format of its time."""
    landmarks = nn.Sequential(nn.Linear(6, 256), nn.ReLU(), nn.Linear(256, 512), nn.ReLU())
    parts = {
        "lmark_encoder": landmarks,
        "lstm": nn.LSTM(768, 256, 3, batch_first=True),
        "lstm_fc": nn.Sequential(nn.Linear(256, 6)),
    }
    tensors = net.state_dict() | {f"{p}.{n}": t for p, part in parts.items() for n, t in part.state_dict().items()}
    tensors = {f"module.{name}": tensor for name, tensor in tensors.items() if "num_batches" not in name}
    path = tmp_path_factory.mktemp("atnet") / "atnet_lstm_18.pth"
    torch.save(tensors, path, _use_new_zipfile_serialization=False)
    return path


def voice(seconds=1.0):
    return np.random.default_rng(0).normal(0, 0.1, round(16_000 * seconds)).astype(np.float32)


def test_the_file_gives_the_encoder(net, file):
    loaded = AtNet.load(file)
    np.testing.assert_array_equal(loaded.hear(voice()), net.hear(voice()))


@pytest.mark.parametrize(("seconds", "frames"), [(1.0, 25), (1.01, 26), (0.02, 1)])
def test_a_row_for_each_frame_of_40_ms(net, seconds, frames):
    features = net.hear(voice(seconds))
    assert features.shape == (frames, 256)
    assert (features >= 0).all()


def test_a_frame_hears_from_120_ms_before_it_to_175_ms_after_its_beginning(net):
    sound = voice(1.2)
    usual = net.hear(sound)
    changed = sound.copy()
    changed[9_600:9_760] = 0  # 600 to 610 ms
    frames = np.flatnonzero(np.abs(net.hear(changed) - usual).max(axis=1) > 0)
    begins = 40 * frames
    assert (begins.min(), begins.max()) == (440, 720)


def test_only_the_energy_depends_on_the_gain():
    loud, quiet = mfcc(voice()), mfcc(voice() * 0.1)
    np.testing.assert_allclose(quiet[:, 1:], loud[:, 1:], atol=1e-4)
    np.testing.assert_allclose(quiet[:, 0], loud[:, 0] - 2 * np.log(10), atol=1e-4)


def test_cepstra_are_those_of_the_package_that_it_was_trained_with():
    package = pytest.importorskip("python_speech_features", reason="python_speech_features is not installed")
    sound = voice().astype(np.float64)
    np.testing.assert_allclose(mfcc(sound), package.mfcc(sound, 16_000, winstep=0.01), atol=1e-9)


class Intruder:
    def __reduce__(self):
        return os.mkdir, ("intruded",)


def test_a_file_that_would_run_something_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.pth").write_bytes(pickle.dumps({"module.lstm": Intruder()}, protocol=2))
    with pytest.raises(InputError, match="does not hold the weights of AT-net"):
        AtNet.load(tmp_path / "evil.pth")
    assert not (tmp_path / "intruded").exists()


@pytest.mark.parametrize("content", [{"weight": torch.zeros(3)}, torch.zeros(3), None])
def test_another_file_is_refused(tmp_path, content):
    path = tmp_path / "other.pth"
    path.write_bytes(b"no weights") if content is None else torch.save(content, path)
    with pytest.raises(InputError, match=r"other\.pth does not hold the weights of AT-net"):
        AtNet.load(path)
    with pytest.raises(InputError, match="cannot be read"):
        AtNet.load(tmp_path / "absent.pth")
