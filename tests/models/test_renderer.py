"""The renderers: bytes in, bytes out, and no grid to begin with."""

import pytest
import torch

from models.renderer import INPUTS, KINDS, STANDARD, THROAT, Renderer, above_throat, blend, build, pack, to_bytes
from models.renderer_format import CHANNELS, SIZE
from models.trunks import ShuffleNet


def inputs(batch=1, size=SIZE):
    torch.manual_seed(0)
    face, photo = (torch.randint(0, 256, (batch, size, size, c), dtype=torch.uint8) for c in (CHANNELS, 3))
    mask = torch.zeros(batch, size, size, 1, dtype=torch.uint8)
    mask[:, size // 4 : 3 * size // 4, size // 4 : 3 * size // 4] = 255
    return face, photo, mask


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_in_bytes_out(kind):
    renderer = build(kind).eval()
    with torch.no_grad():
        rgb, alpha = renderer(*inputs())
    assert (rgb.shape, rgb.dtype) == ((1, SIZE, SIZE, 3), torch.uint8)
    assert (alpha.shape, alpha.dtype) == ((1, SIZE, SIZE, 1), torch.uint8)


@pytest.mark.parametrize("size", [(64, 96), (192, 240)])
def test_the_standard_one_takes_windows(size):
    with torch.no_grad():
        assert ShuffleNet(INPUTS, STANDARD)(torch.zeros(1, 10, *size)).shape == (1, 3, *size)


def test_the_blend_mask_is_soft_and_lies_in_the_hole():
    mask = inputs()[2].permute(0, 3, 1, 2).float() / 255
    alpha = blend(mask)
    assert (alpha[mask == 0] == 0).all()
    assert (alpha[0, 0, SIZE // 2 - 40 : SIZE // 2 + 40, SIZE // 2 - 40 : SIZE // 2 + 40] == 1).all()
    assert alpha.diff(dim=3).abs().max() < 0.3


@pytest.mark.parametrize("kind", KINDS)
def test_below_the_chin_it_is_as_filmed(kind):
    """The hole's lowest rows are drawn, but not shown; the rest of the hole is shown as ever."""
    face, photo, mask = inputs()
    end = 3 * SIZE // 4 - THROAT
    with torch.no_grad():
        shown = build(kind).eval()(face, photo, mask)[1]
    whole = to_bytes(blend(mask.permute(0, 3, 1, 2).float() / 255))
    assert (shown[:, end:] == 0).all()
    assert (whole[:, end : end + THROAT // 2] > 0).any()
    torch.testing.assert_close(shown[:, : end - 10], whole[:, : end - 10], rtol=0, atol=0)


def test_a_pointed_hole_loses_rows_not_its_sides():
    """Jaws run down steeply: a hole moved upwards as a whole would cut them."""
    rows, columns = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    hole = ((columns - 128).abs() < 220 - rows).float()[None, None]
    cut = above_throat(hole)
    lowest = int(hole[0, 0].any(dim=1).nonzero().max()) + 1
    assert (cut[:, :, lowest - THROAT :] == 0).all()
    torch.testing.assert_close(cut[:, :, : lowest - THROAT], hole[:, :, : lowest - THROAT], rtol=0, atol=0)
    assert (above_throat(torch.zeros_like(hole)) == 0).all()


def test_a_fresh_network_shows_no_grid():
    """Away from the border, constant input gives a constant picture: the sub-pixels of each shuffle start equal."""
    torch.manual_seed(0)
    with torch.no_grad():
        middle = ShuffleNet(INPUTS, STANDARD)(torch.full((1, 10, SIZE, SIZE), 0.3))[..., 112:144, 112:144]
    assert middle.std(dim=(2, 3)).max() < 1e-3


def test_four_gflop():
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        ShuffleNet(INPUTS, STANDARD)(torch.zeros(1, 10, SIZE, SIZE))
    assert counter.get_total_flops() < 4.2e9


def test_the_small_one_needs_at_most_1_6_gflop():
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        build("small")(*inputs())
    assert counter.get_total_flops() < 1.6e9


def test_packing_keeps_the_order():
    face, photo, mask = inputs(size=16)
    packed = pack(face, photo, mask)
    torch.testing.assert_close(packed[0, 6:9], photo[0].permute(2, 0, 1) / 127.5 - 1)
    assert packed.min() >= -1
    assert packed.max() <= 1


def test_weights_come_back(tmp_path):
    renderer = build("standard")
    renderer.save(tmp_path / "renderer.safetensors")
    again = Renderer.load(tmp_path / "renderer.safetensors")
    assert again.kind == "standard"
    for mine, theirs in zip(renderer.state_dict().values(), again.state_dict().values(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=0)
    assert [path.name for path in tmp_path.iterdir()] == ["renderer.safetensors"]
