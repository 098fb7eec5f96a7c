"""The bundled character as a photo whose face was fitted."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from models.background import Background
from models.camera import project, transform
from models.photo.fit import FPS, PhotoFit
from models.photo.mesh import photo_mesh
from models.photo.renderer import PhotoRenderer
from models.photo.texture import cavity_texture, skin_texture, teeth_texture
from models.puppet import Puppet
from models.tracker import Track

FRAME = 30


@dataclass(frozen=True)
class Case:
    picture: np.ndarray
    fit: PhotoFit


@cache
def photo() -> Case:
    """A frame, with the pose that it was fitted with; its points are those of the model."""
    puppet = Puppet.bundled()
    background = Background(puppet.folder / "background.mp4", puppet.manifest.frames)
    picture = background.frame(FRAME).copy()
    background.close()
    face, track = puppet.face, puppet.track
    seen = np.zeros(len(face.expression), np.float32)
    view = project(track.camera, transform(face.mean, track.rotation[FRAME], track.translation[FRAME]))
    points = np.zeros((1, 478, 3), np.float32)
    points[0, face.landmarks[:, 0]] = view[face.landmarks[:, 1]]
    size = puppet.manifest.width, puppet.manifest.height
    one = Track(points, np.ones(1, bool), np.ones(1, np.float32), np.zeros(1), *size, FPS, 0.0)
    return Case(picture, PhotoFit(face, seen, track.rotation[FRAME], track.translation[FRAME], track.camera, one))


@cache
def mesh_and_renderer():
    case = photo()
    mesh = photo_mesh(case.fit.face, case.fit.seen, case.fit.rotation)
    skin = skin_texture(case.picture, mesh, case.fit.seen, case.fit.translation, case.fit.camera)
    return mesh, PhotoRenderer(mesh, skin, teeth_texture(mesh, skin), cavity_texture(mesh, skin))
