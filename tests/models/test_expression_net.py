"""The voice network: streamed equals offline, nothing is heard ahead of its time, silence is rest."""

import numpy as np
import onnxruntime
import pytest
import torch

from export.expression_file import write_expression
from models.audio_encoder import HOP, SAMPLE_RATE
from models.expression_net import DIAL, ExpressionNet, Size

COEFFICIENTS = 7


@pytest.fixture(scope="module")
def net():
    """Random weights, scaled so that outputs are about as large as trained ones."""
    torch.manual_seed(0)
    net = ExpressionNet(Size(COEFFICIENTS, channels=16, members=2))
    net.decode.normal_(std=0.3)
    net.gap.normal_()
    net.part.copy_(net.gap / net.gap.square().sum())
    return net.eval()


@pytest.fixture(scope="module")
def voice():
    """Two seconds: syllables of a buzz in noise, and a pause."""
    rng = np.random.default_rng(0)
    time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    buzz = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 30))
    sound = 0.1 * buzz * (np.sin(2 * np.pi * 4 * time) > 0) * (time < 1.5) + 1e-3 * rng.standard_normal(len(time))
    return torch.tensor(sound[None], dtype=torch.float32)


def in_pieces(net, voice, hops, look_ahead=2):
    state, rows, start = net.initial_state(), [], 0
    while start < voice.shape[1]:
        stop = start + HOP * hops[len(rows) % len(hops)]
        row, state = net.step(voice[:, start:stop], state, look_ahead)
        rows.append(row)
        start = stop
    return torch.cat(rows)


@pytest.mark.parametrize("hops", [[1], [2], [3], [4], [5], [7], [16], [50], [1, 9, 2, 30]])
def test_streamed_equals_offline(net, voice, hops):
    whole, _ = net.step(voice, net.initial_state(), 2)
    # Measured: 1.1e-6 of the largest value (another order of summation for another length).
    torch.testing.assert_close(in_pieces(net, voice, hops), whole, rtol=0, atol=3e-6 * float(whole.abs().max()))


@pytest.mark.parametrize("index", range(len(DIAL)))
def test_one_row_per_hop_at_every_look_ahead(net, voice, index):
    rows, _ = net.step(voice, net.initial_state(), index)
    assert rows.shape == (voice.shape[1] // HOP, COEFFICIENTS)
    assert net.look_ahead(index) == DIAL[index] * 16


def test_causal(net, voice):
    changed = voice.clone()
    cut = 100 * HOP
    changed[:, cut:] = torch.flip(changed[:, cut:], (1,))
    before, _ = net.step(voice, net.initial_state(), 3)
    after, _ = net.step(changed, net.initial_state(), 3)
    torch.testing.assert_close(before[:100], after[:100], rtol=0, atol=1e-6)
    assert not torch.allclose(before[100:], after[100:])


def test_look_ahead_may_change_between_calls(net, voice):
    _, state = net.step(voice[:, : 50 * HOP], net.initial_state(), 0)
    rows, _ = net.step(voice[:, 50 * HOP :], state, 4)
    whole, _ = net.step(voice, net.initial_state(), 4)
    torch.testing.assert_close(rows, whole[50:], rtol=0, atol=1e-6)


def test_digital_silence_is_exactly_rest(net):
    rows, state = net.step(torch.zeros(1, 100 * HOP), net.initial_state(), 2)
    assert not rows.any()
    assert not any(memory.any() for name, memory in state.items() if not name.startswith(("gate", "verdict")))


def test_state_keeps_its_shapes(net, voice):
    state = net.initial_state()
    _, after = net.step(voice[:, :HOP], state, 2)
    assert list(after) == list(state)
    assert [memory.shape for memory in after.values()] == [memory.shape for memory in state.values()]


def test_the_lips_do_not_pass_through_one_another(net, voice):
    with torch.no_grad():
        features, _ = net.encoder(voice, net.initial_state())
        components, gate, _ = net.components(features, net.initial_state())
        raw = (components * gate)[0, 2].T
    rows, _ = net.step(voice, net.initial_state(), 2)
    raised = raw + (-(raw @ net.gap)).clamp_min(0)[:, None] * net.part
    assert (raw @ net.gap).min() < -0.1
    assert (raised @ net.gap).min() > -1e-5
    torch.testing.assert_close(rows, raised @ net.decode)


@pytest.mark.parametrize("samples", [0, 1, 159, 161])
def test_part_of_a_hop_is_refused(net, samples):
    with pytest.raises(ValueError, match=f"{samples} samples came"):
        net.step(torch.zeros(1, samples), net.initial_state(), 2)


def test_saved_and_loaded(net, voice, tmp_path):
    net.save(tmp_path / "net.safetensors")
    again = ExpressionNet.load(tmp_path / "net.safetensors")
    assert again.size == net.size
    assert torch.equal(again.step(voice, again.initial_state(), 1)[0], net.step(voice, net.initial_state(), 1)[0])


@pytest.fixture(scope="module")
def session(net, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "expression.onnx"
    write_expression(net, path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options)


def through(session, voice, hops, look_ahead):
    names = [output.name for output in session.get_outputs()]
    state = {i.name: np.zeros(i.shape, np.float32) for i in session.get_inputs() if i.name.startswith("state.")}
    rows, start, samples = [], 0, voice.numpy()
    while start < samples.shape[1]:
        stop = start + HOP * hops[len(rows) % len(hops)]
        feed = {"samples": samples[:, start:stop], "look_ahead": np.array(look_ahead, np.int64)}
        out = dict(zip(names, session.run(None, feed | state), strict=True))
        rows.append(out.pop("expression"))
        state = {name.removeprefix("next_"): array for name, array in out.items()}
        start = stop
    return np.concatenate(rows)


@pytest.mark.parametrize("look_ahead", [0, 2, 4])
def test_onnx_streams_like_torch(net, session, voice, look_ahead):
    whole = net.step(voice, net.initial_state(), look_ahead)[0].numpy()
    for hops in ([200], [1], [4], [3, 1, 11]):
        # Measured: 1.2e-6 of the largest value.
        rows = through(session, voice, hops, look_ahead)
        np.testing.assert_allclose(rows, whole, rtol=0, atol=3e-6 * np.abs(whole).max())
