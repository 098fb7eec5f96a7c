"""Our convolution over small pictures is PyTorch's. Needs a GPU: PyTorch brings Triton only with CUDA."""

import pytest
import torch

if not torch.cuda.is_available():
    pytest.skip("needs a CUDA device", allow_module_level=True)

from export import small_convolution as small


def given(*size):
    return torch.randn(*size, device="cuda").half().contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("batch", "inputs", "outputs", "side", "stride", "adds", "relu"),
    [(1, 64, 64, 16, 1, True, True), (2, 96, 160, 8, 2, False, True), (3, 160, 48, 4, 1, False, False)],
)
def test_is_the_convolution(batch, inputs, outputs, side, stride, adds, relu):
    torch.manual_seed(0)
    x, weight = given(batch, inputs, side, side), given(outputs, inputs, 3, 3) / (9 * inputs) ** 0.5
    bias = torch.randn(outputs, device="cuda").half()
    added = given(batch, outputs, side // stride, side // stride) if adds else None
    expected = torch.nn.functional.conv2d(x.float(), weight.float(), bias.float(), stride, 1)
    expected = expected + added.float() if adds else expected
    expected = expected.relu() if relu else expected
    assert small.fits(x, weight, [stride, stride], [1, 1])
    found = small.convolve(x, weight, bias, added, stride, relu)
    assert found.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found.float(), expected, atol=5e-3, rtol=5e-3)


def test_large_and_other_ones_are_left_to_cudnn():
    half = {"dtype": torch.float16, "device": "meta"}
    weight, same = torch.empty(64, 64, 3, 3, **half), ([1, 1], [1, 1])
    assert small.fits(torch.empty(1, 64, 64, 64, **half), weight, *same)
    assert not small.fits(torch.empty(32, 64, 64, 64, **half), weight, *same)
    assert not small.fits(torch.empty(1, 64, 8, 8, **half), torch.empty(64, 64, 1, 1, **half), *same)
    assert not small.fits(torch.empty(1, 64, 8, 8, device="meta"), weight, *same), "single precision"
