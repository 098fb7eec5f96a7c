"""AudioDVP's own fit, to compare with: a ResNet-50 that is trained on the one clip to tell pose, expression and light.

Wen et al., *Photorealistic Audio-driven Video Portraits*, TVCG 2020. Pictures drawn with the answers are compared with
the filmed ones, through the rasterizer's gradients, and so are landmarks; nothing ties a frame to the next. As there:
weights of the terms, rates, batches and number of rounds. Not as there: the albedo is free at each vertex, since our
face models carry none; the head begins where the tracker saw it on average; and what the clip gets at the end does not
depend on which frames shared a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor, nn

from kernels.resample import resample
from models.camera import Camera, Crop
from models.face_model import FaceModel
from models.rasterize import Surface
from models.tracker import Track
from models.training.fit_face import FOCAL, FaceFit, assembled, filled, first_pose, lips_closed, mean_shape
from models.training.fit_steps import Motion
from models.training.resnet50 import FEATURES, load_weights

SIDE = 224
"""Of the square that network and loss see, px."""
AROUND = 1.4
"""Its side against the face's."""
ROUNDS, BATCH = 20, 5
NETWORK_RATE, SHARED_RATE = 2e-5, 1e-3
PICTURE, LANDMARKS, PRIORS = 1.9, 1.6e-3, 3e-4
EXPRESSION_PRIOR = 0.8
TELLING = 50.0
"""How much more lips and eyes count than other landmarks."""
UNIT_CM = 9.2157
"""Of the translation that the network gives."""
AMBIENT = 0.7
"""Light where the network says nothing."""
MEAN_COLOUR = (0.5141, 0.4074, 0.3588)
"""Of faces; what the network's weights expect to be taken off."""
BANDS = 9

Pictures = Iterable[UInt8[NDArray[np.uint8], "H W 3"]]


def fit_resnet(
    pictures: Pictures,
    track: Track,
    model: FaceModel,
    weights: Path,
    progress: Callable[[int, int], None] | None = None,
) -> FaceFit:
    """Fit to a clip's N pictures, whose face was followed.

    `weights`: see `resnet50.load_weights`, whose errors it raises. `progress` is told steps done and steps in all.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    points = filled(track)
    camera = Camera(
        FOCAL * max(track.width, track.height), track.width / 2, track.height / 2, track.width, track.height
    )
    crop = around(points)
    seen = torch.from_numpy(cut_all(pictures, crop, len(points))).to(device)
    landmarks = (points[:, model.landmarks[:, 0], :2] - [crop.x, crop.y]) * crop.scale
    face = Face(model, first_pose(points, model, camera)[0], crop.camera(camera, SIDE), load_weights(weights), device)
    train(face, seen, torch.from_numpy(landmarks).float().to(device), np.flatnonzero(track.valid), progress)
    motion = face.motion(seen)
    zero = lips_closed(points, track.valid, motion)
    shape = replace(mean_shape(model), identity=face.identity.detach().cpu().double().numpy(), habit=zero)
    return assembled(track, model, camera, shape, replace(motion, expression=motion.expression - zero))


def around(points: Float[np.ndarray, "N 478 3"]) -> Crop:
    """One square for the whole clip."""
    low, high = points[..., :2].min(axis=(0, 1)), points[..., :2].max(axis=(0, 1))
    side = AROUND * float((high - low).max())
    x, y = ((low + high - side) / 2).tolist()
    return Crop(x, y, SIDE / side)


def cut_all(pictures: Pictures, crop: Crop, count: int) -> UInt8[NDArray[np.uint8], "N S S 3"]:
    """The square of each picture."""
    out = np.empty((count, SIDE, SIDE, 3), np.uint8)
    for n, picture in zip(range(count), pictures, strict=False):
        resample(picture, out[n], crop.x, crop.y, crop.scale)
    return out


class Face(nn.Module):
    """The clip's unknowns: what all frames share, and the network that tells the rest from a picture."""

    mean: Tensor
    shapes: Tensor
    expressions: Tensor
    scale: Tensor
    triangles: Tensor
    chosen: Tensor
    weight: Tensor
    turn: Tensor
    place: Tensor

    def __init__(self, model: FaceModel, begin: Motion, camera: Camera, network: nn.Module, device: str) -> None:
        super().__init__()
        self.network = network
        self.head = nn.Linear(FEATURES, len(model.expression) + 3 * BANDS + 6)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.identity = nn.Parameter(torch.zeros(len(model.identity)))
        self.albedo = nn.Parameter(torch.tensor(MEAN_COLOUR).repeat(len(model.mean), 1))
        self.camera = camera
        telling = np.concatenate([model.regions["lips"], model.regions["eyes"]])
        numbers = {
            "mean": model.mean,
            "shapes": model.identity.reshape(len(model.identity), -1),
            "expressions": (model.expression * model.expression_scale[:, None, None]).reshape(
                len(model.expression), -1
            ),
            "scale": model.expression_scale,
            "triangles": model.triangles.astype(np.int64),
            "chosen": model.landmarks[:, 1].astype(np.int64),
            "weight": np.where(np.isin(model.landmarks[:, 1], telling), TELLING, 1.0).astype(np.float32),
            "turn": Rotation.from_rotvec(begin.rotation).mean().as_matrix().astype(np.float32),
            "place": begin.translation.mean(axis=0).astype(np.float32),
        }
        for name, array in numbers.items():
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(array)), persistent=False)
        self.surface = Surface(SIDE, SIDE, model.triangles, device)
        self.to(device)

    def told(self, pictures: UInt8[Tensor, "B S S 3"]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Expression [B, K] in typical sizes, light [B, 9, 3], rotation [B, 3, 3], translation [B, 3] in cm."""
        colours = (
            pictures.permute(0, 3, 1, 2).float() / 255
            - torch.tensor(MEAN_COLOUR, device=pictures.device)[:, None, None]
        )
        sizes = [len(self.scale), 3 * BANDS, 3, 3]
        expression, light, turn, shift = torch.split(self.head(self.network(colours)), sizes, dim=1)
        zero = torch.zeros_like(turn[:, 0])
        x, y, z = turn.unbind(dim=1)
        skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=1).reshape(-1, 3, 3)
        return expression, light.reshape(-1, BANDS, 3), torch.matrix_exp(skew) @ self.turn, self.place + UNIT_CM * shift

    def loss(self, pictures: UInt8[Tensor, "B S S 3"], landmarks: Float[Tensor, "B M 2"]) -> Float[Tensor, ""]:
        """Of a batch."""
        expression, light, turns, places = self.told(pictures)
        shape = self.mean + (self.identity @ self.shapes + expression @ self.expressions).reshape(len(pictures), -1, 3)
        placed = shape @ turns.mT + places[:, None]
        depth = -placed[..., 2]
        camera = self.camera
        view = torch.stack(
            [
                camera.cx + camera.focal * placed[..., 0] / depth,
                camera.cy - camera.focal * placed[..., 1] / depth,
                depth,
            ],
            2,
        )
        lit = self.albedo * irradiance(self.normals(placed), light)
        away = (view[:, self.chosen, :2] - landmarks).square() * self.weight[:, None]
        picture = torch.stack([self.unlike(*each) for each in zip(view, lit, pictures, strict=True)]).mean()
        priors = self.identity.square().sum() + EXPRESSION_PRIOR * expression.square().sum()
        return PICTURE * picture + LANDMARKS * away.sum(dim=(0, 2)).mean() + PRIORS * priors

    def unlike(
        self, view: Float[Tensor, "V 3"], colours: Float[Tensor, "V 3"], picture: UInt8[Tensor, "S S 3"]
    ) -> Float[Tensor, ""]:
        """Mean squared difference of the drawn face from the filmed one, over the whole square."""
        ids = self.surface.ids(view)
        drawn = self.surface.interpolate(ids, view, colours).clamp(0, 1)
        return ((drawn - picture.float() / 255) * (ids >= 0)[..., None]).square().mean()

    def normals(self, vertices: Float[Tensor, "B V 3"]) -> Float[Tensor, "B V 3"]:
        """Area-weighted."""
        a, b, c = (vertices[:, self.triangles[:, corner]] for corner in range(3))
        faces = torch.linalg.cross(b - a, c - a)
        total = torch.zeros_like(vertices)
        for corner in range(3):
            total = total.index_add(1, self.triangles[:, corner], faces)
        return nn.functional.normalize(total, dim=2)

    @torch.no_grad()
    def motion(self, pictures: UInt8[Tensor, "N S S 3"]) -> Motion:
        """Pose and expression of all frames."""
        self.eval()
        parts = [self.told(batch) for batch in torch.split(pictures, BATCH)]
        expression, _, turn, place = (torch.cat(part).double().cpu().numpy() for part in zip(*parts, strict=True))
        return Motion(Rotation.from_matrix(turn).as_rotvec(), place, expression * self.scale.cpu().numpy())


def irradiance(normals: Float[Tensor, "B V 3"], light: Float[Tensor, "B 9 3"]) -> Float[Tensor, "B V 3"]:
    """Light on surfaces that look there, by spherical harmonics (Ramamoorthi and Hanrahan, SIGGRAPH 2001)."""
    x, y, z = normals.unbind(dim=2)
    bands = [torch.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y]
    return AMBIENT + torch.stack(bands, dim=2) @ light


def train(
    face: Face,
    pictures: UInt8[Tensor, "N S S 3"],
    landmarks: Float[Tensor, "N M 2"],
    usable: NDArray[np.intp],
    progress: Callable[[int, int], None] | None,
) -> None:
    """ROUNDS times through all usable frames, in an order that the seed decides."""
    network = [*face.network.parameters(), *face.head.parameters()]
    groups = [{"params": network, "lr": NETWORK_RATE}, {"params": [face.identity, face.albedo], "lr": SHARED_RATE}]
    optimiser = torch.optim.Adam(groups, betas=(0.5, 0.999))
    generator = np.random.default_rng(0)
    total, done = ROUNDS * (len(usable) // BATCH), 0
    for _ in range(ROUNDS):
        order = torch.from_numpy(generator.permutation(usable))
        for chosen in torch.split(order, BATCH):
            if len(chosen) < BATCH:  # batch norm wants several
                continue
            optimiser.zero_grad()
            face.loss(pictures[chosen], landmarks[chosen]).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            done += 1
            if progress:
                progress(done, total)
