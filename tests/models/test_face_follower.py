"""The follower keeps to its face, on networks that see what a test tells them."""

import numpy as np

from models.face_follower import FaceFollower, FaceNetworks
from models.square import Square


def square(x, y, side):
    return Square(float(x), float(y), float(side), 0.0)


def points_in(place):
    """Points that ask for this square next."""
    points = np.zeros((478, 3), np.float32)
    half = place.side / 3
    points[:, :2] = place.x - half, place.y
    points[263, :2] = place.x + half, place.y
    return points


class FakeNetworks(FaceNetworks):
    """Sees the faces that a "frame" lists, each as one pixel (x, y, side)."""

    def __init__(self):
        pass

    def look(self, frame, place):
        seen = [face for face in listed(frame) if place.overlap(face) > 0.3]
        return (points_in(seen[0]), 1.0) if seen else (points_in(place), 0.0)

    def faces(self, frame):
        return [(points_in(face), 1.0) for face in sorted(listed(frame), key=lambda face: -face.side)]


def pictured(faces):
    return np.array(faces, np.uint8).reshape(-1, 1, 3)


def listed(frame):
    return [square(*pixel) for pixel in frame[:, 0].tolist()]


def follow(frames):
    """x of the left eye that is followed, frame by frame."""
    follower = FaceFollower(FakeNetworks())
    answers = [follower.follow(pictured(faces))[0] for faces in frames]
    return [None if points is None else round(float(points[263, 0])) for points in answers]


def test_follower_keeps_the_first_face_when_a_larger_one_comes_in():
    small, large = (50, 50, 30), (200, 50, 60)
    assert follow([[small], [small, large], [large, small]]) == [60, 60, 60]


def test_follower_starts_with_the_largest_and_finds_its_own_again():
    small, large = (50, 50, 30), (200, 50, 60)
    assert follow([[small, large], [small, large]]) == [220, 220]
    assert follow([[small], [], [], [large, small]]) == [60, None, None, 60]
    assert follow([[small], [], [large]]) == [60, None, 220]


def test_rivals_are_other_faces_of_similar_size():
    one, double, other, tiny = (50, 50, 30), (52, 51, 31), (200, 50, 25), (200, 90, 10)
    networks, followed = FakeNetworks(), points_in(square(*one))
    assert not networks.has_rival(pictured([one, double, tiny]), followed)
    assert networks.has_rival(pictured([one, other]), followed)
    assert networks.has_rival(pictured([one, other]), None)
    assert not networks.has_rival(pictured([]), None)
