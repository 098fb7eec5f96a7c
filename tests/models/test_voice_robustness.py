"""What the voice network does with sound that it should not be given; each behaviour is stated by its test's name."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.audio_encoder import HOP, SAMPLE_RATE
from models.expression_net import DIAL, ExpressionNet, Size
from models.face_model import FaceModel
from models.training.lip_metric import LipMetric
from models.video import read_sound
from models.voice_stream import KEPT, VoiceStream

HELLO = Path(__file__).parents[2] / "models/bundled/hello.wav"
EIGHTY = DIAL.index(80)


@pytest.fixture(scope="module")
def net():
    return ExpressionNet.universal()


@pytest.fixture(scope="module")
def gap():
    return LipMetric.of(FaceModel.tracked()).gap


@pytest.fixture(scope="module")
def speech():
    return read_sound(HELLO)[: 6 * SAMPLE_RATE]


@pytest.fixture(scope="module")
def usual(net, speech):
    return rows(net, speech)


def rows(net, sound):
    sound = torch.from_numpy(np.ascontiguousarray(sound, np.float32))[None]
    return net.step(sound, net.initial_state(), EIGHTY)[0].numpy()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_count_as_silence(net, speech, bad):
    spoilt, zeroed = speech.copy(), speech.copy()
    spoilt[20_000:23_000], zeroed[20_000:23_000] = bad, 0.0
    np.testing.assert_array_equal(rows(net, spoilt), rows(net, zeroed))
    assert np.isfinite(rows(net, spoilt)).all()


def test_samples_beyond_full_scale_are_clipped(net, speech):
    loud = speech * 8 / np.abs(speech).max()
    np.testing.assert_array_equal(rows(net, loud), rows(net, loud.clip(-1, 1)))


@pytest.mark.parametrize(("times", "least"), [(4, 0.9), (8, 0.7)])
def test_clipped_speech_moves_the_mouth_alike(net, gap, speech, usual, times, least):
    """Of peaks 12 and 18 dB above full scale."""
    clipped = (speech * times / np.abs(speech).max()).clip(-1, 1)
    assert np.corrcoef(rows(net, clipped) @ gap, usual @ gap)[0, 1] > least


def test_a_constant_offset_hardly_counts(net, gap, speech, usual):
    shifted = rows(net, speech * 0.5 + 0.2)
    assert np.corrcoef(shifted[100:] @ gap, usual[100:] @ gap)[0, 1] > 0.95
    assert np.abs(rows(net, np.full(2 * SAMPLE_RATE, 0.2))[100:] @ gap).max() < 0.1


def test_a_telephone_moves_the_mouth_alike(net, gap, speech, usual):
    """8 kHz, 300 to 3400 Hz, brought back to 16 kHz."""
    spectrum, hertz = np.fft.rfft(speech), np.fft.rfftfreq(len(speech), 1 / SAMPLE_RATE)
    narrow = np.fft.irfft(spectrum * ((hertz > 300) & (hertz < 3400)), len(speech))
    assert np.corrcoef(rows(net, narrow) @ gap, usual @ gap)[0, 1] > 0.6


def test_gain_does_not_change_the_mouth(net, gap, speech, usual):
    for decibels in (-10, -30):
        said = rows(net, speech * 10 ** (decibels / 20)) @ gap
        assert said[100:].std() == pytest.approx((usual @ gap)[100:].std(), rel=0.1)


@pytest.fixture(scope="module")
def small():
    """Fast; what these tests ask of it does not depend on training."""
    torch.manual_seed(0)
    net = ExpressionNet(Size(4, members=1, channels=4)).eval()
    net.decode.normal_()
    return net


class InProcess:
    """The network as an engine would run it."""

    def __init__(self, net):
        self._net = net

    def initial_state(self):
        return {f"state.{name}": tensor.numpy() for name, tensor in self._net.initial_state().items()}

    def __call__(self, feed):
        state = {name.removeprefix("state."): torch.from_numpy(x) for name, x in feed.items() if "state." in name}
        with torch.inference_mode():
            out, after = self._net(torch.from_numpy(feed["samples"]), torch.from_numpy(feed["look_ahead"]), state)
        return {"expression": out.numpy()} | {f"next_state.{name}": tensor.numpy() for name, tensor in after.items()}


def test_an_empty_chunk_changes_nothing(net, speech):
    stream = VoiceStream(InProcess(net), 80)
    heard = stream.push(speech[:1000], stream.initial_state())
    same = stream.push(speech[:0], heard)
    assert (same.hops, len(same.pending)) == (heard.hops, len(heard.pending))
    np.testing.assert_array_equal(same.rows, heard.rows)


def test_ten_minutes_in_one_chunk_end_as_ten_minutes_in_many(small, speech):
    stream = VoiceStream(InProcess(small), 80)
    long = np.resize(speech, 600 * SAMPLE_RATE)
    once = stream.push(long, stream.initial_state())
    # What lies more than 20 s back has left no trace, so the end of the stream stands for all of it.
    end = stream.push(long[-30 * SAMPLE_RATE :], stream.initial_state())
    assert once.rows.shape == (KEPT, 4)
    np.testing.assert_allclose(once.rows, end.rows, atol=1e-3 * np.abs(once.rows).max())


def test_hours_leave_memory_and_mouth_as_they_were(small, speech):
    sound = torch.from_numpy(np.resize(speech, 12 * SAMPLE_RATE))[None]
    state, sizes, ends = small.initial_state(), [], []
    for _ in range(20):
        said, state = small.step(sound, state, EIGHTY)
        sizes.append(sum(tensor.numel() for tensor in state.values()))
        ends.append(said[-HOP:].numpy())
    assert len(set(sizes)) == 1
    np.testing.assert_allclose(ends[-1], ends[2], atol=1e-4 * np.abs(ends[2]).max())
