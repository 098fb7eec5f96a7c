"""What the voice network is asked for: movement counts only where something was heard ahead."""

from dataclasses import replace

import pytest
import torch

from models.audio_encoder import FEATURES
from models.expression_net import DIAL
from models.training.expression_batches import AHEAD, Batch
from models.training.expression_config import Config
from models.training.expression_losses import Lips, lip_loss

HOPS = 60


def cost_of_trembling(index, velocity_weight):
    """The loss of lips that should rest, and tremble at one look-ahead."""
    rows = AHEAD + HOPS
    batch = Batch(
        features=torch.zeros(1, FEATURES, HOPS),
        plain=torch.zeros(1, FEATURES, HOPS),
        targets={"lips": torch.zeros(1, rows, 2)},
        known={"lips": torch.ones(1, rows, dtype=torch.bool)},
        visemes=torch.zeros(1, rows, dtype=torch.long),
        speaks=torch.ones(1, rows),
        warm=torch.ones(1, HOPS, dtype=torch.bool),
        learns=torch.ones(1, 1),
    )
    said = torch.zeros(1, 1, len(DIAL), 2, 1, HOPS)
    said[0, 0, index, 0, 0] = (torch.arange(HOPS) // 4 % 2).float()
    lips = Lips(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]))
    return float(lip_loss(said, batch, lips, replace(Config(), velocity_weight=velocity_weight)))


@pytest.mark.parametrize(("look_ahead", "counts"), [(0, 0.0), (40, 0.5), (80, 1.0), (240, 1.0)])
def test_movement_counts_as_far_as_something_was_heard_ahead(look_ahead, counts):
    index = DIAL.index(look_ahead)
    still, moving, full = cost_of_trembling(index, 0.0), cost_of_trembling(index, 1.0), cost_of_trembling(-1, 1.0)
    assert moving - still == pytest.approx(counts * (full - still))
    assert full > 2 * still
