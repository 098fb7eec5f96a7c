"""What leaves a GPU once more, after the face is drawn, is all that a crop may change and nothing else."""

import numpy as np
import torch

from export.pasting import changing

HEIGHT, WIDTH = 12, 16
BOX = TOP, BOTTOM, LEFT, RIGHT = 4, 10, 2, 8


def marked(*shape):
    """Two pictures in which what may change is 1."""
    pictures = torch.zeros(2, *shape, dtype=torch.uint8)
    for part in changing(pictures, BOX, len(shape) == 2):
        part += 1
    return pictures.numpy()


def test_the_box_leaves_late():
    expected = np.zeros((HEIGHT, WIDTH, 3))
    expected[TOP:BOTTOM, LEFT:RIGHT] = 1
    for picture in marked(HEIGHT, WIDTH, 3):
        np.testing.assert_array_equal(picture, expected)


def test_the_box_leaves_late_in_every_plane():
    luma, chroma = np.zeros((HEIGHT, WIDTH)), np.zeros((2, HEIGHT // 2, WIDTH // 2))
    luma[TOP:BOTTOM, LEFT:RIGHT] = 1
    chroma[:, TOP // 2 : BOTTOM // 2, LEFT // 2 : RIGHT // 2] = 1
    for picture in marked(HEIGHT * 3 // 2, WIDTH):
        np.testing.assert_array_equal(picture.ravel(), np.concatenate([luma.ravel(), chroma.ravel()]))
