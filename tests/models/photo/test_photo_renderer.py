"""What is painted on the mesh of a photo is the photo, to parts of a texel, and where the lips part there are teeth."""

import cv2
import numpy as np
import torch
from photo_case import mesh_and_renderer, photo
from test_photo_mesh import still

from export.engine import FOR_PICTURES, load
from export.onnx_file import write_renderer
from export.onnx_module import OnnxModule
from export.photo import swaying
from models.conditioning import Conditioner
from models.painter import Painter
from models.training.framing import frame_lower_face, parted_lips


class Direct:
    """The renderer without an engine."""

    def initial_state(self):
        return {}

    def __call__(self, inputs):
        _, renderer = mesh_and_renderer()
        with torch.no_grad():
            rgb, alpha = renderer(*(torch.from_numpy(inputs[name]) for name in ("face", "photo", "mask")))
        return {"rgb": rgb.numpy(), "alpha": alpha.numpy()}


def painted(apart: float) -> tuple[np.ndarray, np.ndarray]:
    """The photo with its lips so far apart, cm; and where it was changed at all."""
    case = photo()
    mesh, _ = mesh_and_renderer()
    framing = frame_lower_face(swaying(case.fit, [still()]))
    picture = case.picture.copy()
    expression = parted_lips(case.fit.face, apart) - parted_lips(case.fit.face, 0.0) * (apart == 0)
    painter = Painter(mesh, case.fit.camera, Direct())
    painter.paint(
        picture, expression, np.zeros(3, np.float32), case.fit.translation, framing.crop_at(0), framing.hole[0]
    )
    hole = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(hole, [np.round(framing.crop_at(0).to_frame(framing.hole[0].astype(float))).astype(np.int32)], 1)
    return picture, hole > 0


def test_at_rest_it_is_the_photo():
    picture, hole = painted(0.0)
    error = (picture[hole].astype(float) - photo().picture[hole]) ** 2
    assert 10 * np.log10(255**2 / error.mean()) > 33


def test_beyond_the_hole_nothing_changes():
    picture, hole = painted(1.5)
    near = cv2.dilate(hole.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    np.testing.assert_array_equal(picture[~near], photo().picture[~near])


def test_between_parted_lips_there_is_a_mouth():
    """Darker than the skin, and with teeth in it that are not."""
    picture, _ = painted(1.5)
    at = photo().fit.track.points[0]
    middle, half = at[[13, 14], :2].mean(axis=0), np.linalg.norm(at[291, :2] - at[61, :2]) / 4
    rows, columns = (slice(round(c - half / 2), round(c + half)) for c in middle[::-1])
    mouth = picture[rows, columns].astype(int)
    assert np.quantile(mouth.mean(axis=2), 0.05) < 60
    assert (mouth.min(axis=2) > 120).mean() > 0.1


def test_the_torch_engines_know_it(tmp_path):
    """And an engine gives what the module does."""
    mesh, renderer = mesh_and_renderer()
    write_renderer(renderer, tmp_path / "renderer.onnx")
    conditioner = Conditioner(mesh, photo().fit.camera)
    framing = frame_lower_face(swaying(photo().fit, [still()]))
    feed = conditioner(
        photo().picture,
        parted_lips(photo().fit.face, 1.5),
        np.zeros(3, np.float32),
        photo().fit.translation,
        framing.crop_at(0),
        framing.hole[0],
    )
    direct, engine = Direct()(feed), load(tmp_path / "renderer.onnx", FOR_PICTURES)(feed)
    module = OnnxModule(tmp_path / "renderer.onnx")
    torched = module(*(torch.from_numpy(feed[name]) for name in module.inputs))
    for name, other in zip(module.outputs, torched, strict=True):
        assert np.abs(other.numpy().astype(int) - direct[name]).max() <= 1
        assert np.abs(engine[name].astype(int) - direct[name]).max() <= 6


def test_places_between_texels_are_found():
    _, renderer = mesh_and_renderer()
    ramp = torch.linspace(20, 60, 97).repeat(32, 1)
    code = torch.floor(ramp + 0.5)
    inner = (code + renderer.beyond(code[None, None])[0, 0])[4:-4, 4:-4]
    rounded, found = (float((x - ramp[4:-4, 4:-4]).std()) for x in (code[4:-4, 4:-4], inner))
    assert found < 0.4 * rounded


def test_an_edge_stays_an_edge():
    _, renderer = mesh_and_renderer()
    code = torch.full((1, 1, 16, 16), 10.0)
    code[..., 8:] = 200
    assert renderer.beyond(code).abs().max() == 0.5
    assert renderer.beyond(code)[..., 2:-2, 2:6].abs().max() == 0
