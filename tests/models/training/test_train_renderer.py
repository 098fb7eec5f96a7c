"""Training: it learns, keeps to its time, goes on after a kill, and never looks at what is held out."""

from dataclasses import fields

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from models.renderer import KINDS
from models.renderer_format import CHANNELS, SIZE
from models.training import train_renderer
from models.training.data import Clip
from models.training.team import Team
from models.training.train_renderer import CHECKPOINT, Plan, train
from models.training.trained import Trained

FRAMES = 10
HIDDEN = 3


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A disc whose colour follows the face picture's; the last two frames are white, one is hidden."""
    folder = tmp_path_factory.mktemp("prepared")
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    disc = x**2 + y**2 < 70**2
    shade = np.linspace(40, 200, FRAMES).astype(np.uint8)
    face = np.where(disc[None, ..., None], shade[:, None, None, None], 0).repeat(CHANNELS, axis=-1)
    photo = np.where(disc[None, ..., None], 255 - shade[:, None, None, None], 90).repeat(3, axis=-1)
    photo[-2:] = 255
    photo[HIDDEN] = 0
    arrays = {
        "face": face.astype(np.uint8),
        "photo": photo.astype(np.uint8),
        "target": photo.astype(np.uint8),
        "mask": np.repeat(disc[None] * np.uint8(255), FRAMES, axis=0),
        "mouth": np.tile(np.float32([100, 110, 156, 140]), (FRAMES, 1)),
        "partner": np.arange(FRAMES, dtype=np.int32)[::-1, None].repeat(4, axis=1),
        "usable": np.arange(FRAMES) != HIDDEN,
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", np.ascontiguousarray(array))
    return folder


@pytest.fixture
def clock(monkeypatch):
    """A second per step; one thread, so that sums have one order."""
    now = iter(range(10**6))
    monkeypatch.setattr(train_renderer, "perf_counter", lambda: float(next(now)))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def weights(trained):
    return torch.cat([parameter.flatten() for parameter in trained.renderer.parameters()])


class NothingFromPython(TorchDispatchMode):
    """Refuses tensors that are made of Python's numbers: they are copied to the GPU, which no CUDA graph can hold."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert func is not torch.ops.aten.lift_fresh.default
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("kind", KINDS)
def test_a_cuda_graph_can_hold_a_step(clip, kind):
    drawn = Clip(clip, torch.device("cpu"), 0.2, whole=kind == "unet256")
    training = train_renderer._Training(Plan(minutes=1.0, kind=kind, batch=1), drawn, Team(), None)
    batch = drawn.batch(1, torch.Generator())
    with NothingFromPython():
        training.learn(batch, adversarial=True)


def test_it_learns_in_the_time_it_has(clip, tmp_path, clock):
    told = []
    plan = Plan(minutes=0.5, batch=2, held_out=0.2)
    train(clip, tmp_path, plan, device="cpu", report=told.append)
    assert told[-1].step == 30
    assert told[-1].loss < 0.75 * told[0].loss
    assert [at.seconds_left for at in told] == sorted((at.seconds_left for at in told), reverse=True)


def test_a_killed_training_goes_on(clip, tmp_path, clock, monkeypatch):
    plan = Plan(minutes=0.4, batch=1)

    def kill(at):
        if at.step == 10:
            raise KeyboardInterrupt

    monkeypatch.setattr(train_renderer, "CHECKPOINT_S", 1.0)
    with pytest.raises(KeyboardInterrupt):
        train(clip, tmp_path, plan, device="cpu", report=kill)
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]
    told = []
    resumed = weights(train(clip, tmp_path, plan, device="cpu", report=told.append))
    assert [at.step for at in told] == [20]
    again = weights(train(clip, tmp_path, plan, device="cpu", report=told.append))
    assert len(told) == 1  # nothing was left to do
    torch.testing.assert_close(again, resumed, rtol=0, atol=0)


def test_a_small_one_learns_and_goes_on(clip, tmp_path, clock):
    """Its teacher's state is in the checkpoint too."""
    plan = Plan(minutes=0.2, kind="small", batch=2, held_out=0.2)
    told = []
    first = weights(train(clip, tmp_path, plan, device="cpu", report=told.append))
    assert told[-1].loss < 0.9  # from 1
    torch.testing.assert_close(weights(train(clip, tmp_path, plan, device="cpu")), first, rtol=0, atol=0)


def test_a_copy_of_a_batch_is_its_own(clip):
    batch = Clip(clip, torch.device("cpu")).batch(2, torch.Generator().manual_seed(0))
    copy = batch.clone()
    assert len(batch.tensors()) == len(fields(batch))
    assert all((a == b).all() for a, b in zip(batch.tensors(), copy.tensors(), strict=True))
    copy.face.zero_()
    assert batch.face.any()


def test_the_same_seed_gives_the_same_renderer(clip, tmp_path, clock):
    plan = Plan(minutes=0.1, batch=2)
    one, two = (weights(train(clip, tmp_path / name, plan, device="cpu")) for name in ("one", "two"))
    torch.testing.assert_close(one, two, rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["standard", "small"])
def test_it_goes_on_with_what_it_learned_and_the_same_judges(clip, tmp_path, clock, kind):
    first = train(clip, tmp_path / "one", Plan(minutes=0.1, kind=kind, batch=1), device="cpu")
    first.save(tmp_path / "first.safetensors")
    plan = Plan(minutes=0.02, kind=kind, batch=1, seed=5)
    second = train(clip, tmp_path / "two", plan, initial=Trained.load(tmp_path / "first.safetensors"), device="cpu")
    for before, after in ((first, second), *([(first.teacher, second.teacher)] if kind == "small" else [])):
        assert (weights(before) - weights(after)).abs().max() < 0.01
        judges = [torch.cat([p.flatten() for p in t.adversary.parameters()]) for t in (before, after)]
        assert 0 < (judges[0] - judges[1]).abs().max() < 0.01  # they judge from the first step


@pytest.mark.parametrize("seed", range(3))
def test_held_out_frames_are_never_seen(clip, seed):
    """They alone are white."""
    batch = Clip(clip, torch.device("cpu"), held_out=0.2).batch(64, torch.Generator().manual_seed(seed))
    assert batch.target.amax() < 0.99
    assert batch.photo.amax() < 255


@pytest.mark.parametrize("seed", range(3))
def test_hidden_frames_are_never_seen(clip, seed):
    """One alone is black."""
    batch = Clip(clip, torch.device("cpu")).batch(64, torch.Generator().manual_seed(seed))
    assert batch.target.amin() > 0
    assert batch.photo.amin() > 0


def test_a_batch_belongs_together(clip):
    batch = Clip(clip, torch.device("cpu")).batch(16, torch.Generator().manual_seed(0))
    hole = batch.mask[..., 0] > 0
    assert (batch.photo[hole] == 128).all()
    assert ((batch.known[:, 0] > 0) <= hole).all()
    assert (hole == (batch.face[..., 0] > 0)).all()  # the disc is the face and the hole, wherever the window lies
    height, width = batch.target.shape[2:]
    assert height % 16 == 0
    assert width % 16 == 0
