"""Figures that are perfect for the perfect and bad for the bad, and a page that needs no other file."""

import re
from fractions import Fraction

import numpy as np
import pytest

from models.tracker import Track
from models.training.clip_pictures import SKIN
from models.training.held_out_metrics import INNER_LIPS, IRISES, LIPS, LOWER_FACE, STABLE, chance, compare, likeness
from models.training.report import Judged, contact_sheet, write_report
from models.training.verdict import Finding, Light, Offset, Verdict

FRAMES, SIDE = 40, 96


@pytest.fixture(scope="module")
def real():
    """A made-up face whose mouth opens and shuts."""
    rng = np.random.default_rng(0)
    points = np.repeat(rng.uniform(30, 66, (1, 478, 3)), FRAMES, axis=0).astype(np.float32)
    points[:, IRISES[0], :2], points[:, IRISES[1], :2] = (30, 30), (66, 30)
    wide = 6 * np.abs(np.sin(np.arange(FRAMES) * 0.9)).astype(np.float32)
    points[:, LIPS, 1] = 60 + wide[:, None] * rng.uniform(-1, 1, len(LIPS))
    points[:, INNER_LIPS[0], :2] = np.stack([np.full(FRAMES, 48), 60 - wide], axis=1)
    points[:, INNER_LIPS[1], :2] = np.stack([np.full(FRAMES, 48), 60 + wide], axis=1)
    times = np.arange(FRAMES) / 25
    return Track(points, np.ones(FRAMES, bool), np.ones(FRAMES, np.float32), times, SIDE, SIDE, Fraction(25), 0.0)


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8) for _ in range(FRAMES)]


def test_the_real_video_is_perfect(real, pictures):
    scores = compare(real, pictures, real, pictures)
    assert scores.opening_r == pytest.approx(1)
    assert scores.opening_amplitude == pytest.approx(1)
    assert scores.lip_distance == pytest.approx(0, abs=1e-6)
    assert (scores.psnr, scores.ssim) == (60, pytest.approx(1, abs=1e-4))
    assert (scores.sharpness, scores.jitter) == (pytest.approx(1), pytest.approx(1))


def test_a_head_elsewhere_with_the_same_lips_is_as_good(real, pictures):
    turn = np.array([[0.98, -0.2], [0.2, 0.98]], np.float32)
    points = real.points.copy()
    points[..., :2] = points[..., :2] @ turn.T + 7
    moved = Track(points, real.valid, real.confidence, real.times, SIDE, SIDE, real.fps, 0.0)
    assert compare(moved, pictures, real, pictures).lip_distance < 1e-3


def test_other_lips_and_pictures_are_worse(real, pictures):
    by_chance = chance(real, pictures)
    assert by_chance.opening_r < 0.5
    assert by_chance.lip_distance > 1
    assert by_chance.psnr < 15
    assert np.isnan(by_chance.jitter)


def test_lost_frames_do_not_count(real, pictures):
    points = real.points.copy()
    points[3:9] = np.nan
    lost = Track(points, ~np.isnan(points[:, 0, 0]), real.confidence, real.times, SIDE, SIDE, real.fps, 0.0)
    assert compare(lost, pictures, real, pictures).opening_r == pytest.approx(1)


def test_a_blur_lowers_both_measures_of_likeness(pictures):
    psnr, ssim = likeness(np.full((SIDE, SIDE, 3), 128, np.uint8), pictures[0])
    assert psnr < 12
    assert ssim < 0.1


def test_the_page_is_whole(real, pictures, tmp_path):
    scores = compare(real, pictures, real, pictures)
    judged = Judged(pictures, pictures, real, real, scores, scores, chance(real, pictures))
    findings = (Finding("Light", "<dim>", Light.amber, "Use a lamp."),)
    (tmp_path / "curves.csv").write_text("10,0.1,0.5\n20,0.2,0.4\n")
    verdict = Verdict(findings, Offset(0.0, 0.5, 5.0, 20.0), real.valid)
    write_report(tmp_path, "Me & you", judged, tmp_path / "curves.csv", verdict, {"Time": "5 min"})
    page = (tmp_path / "report.html").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curves.csv", "report.html"]
    assert "Me &amp; you" in page
    assert "&lt;dim&gt;" in page
    assert "nan" not in re.sub(r'src="data:[^"]*"', "", page)
    sources = re.findall(r'(?:src|href)="([^"]{0,15})', page)
    assert len(sources) == 4
    assert all(source.startswith("data:") for source in sources)


def test_the_sheet_shows_both(real, pictures):
    dark = [picture // 4 for picture in pictures]
    scores = compare(real, pictures, real, pictures)
    sheet = contact_sheet(Judged(pictures, dark, real, real, scores, scores, scores))
    rows = np.split(sheet, 4)
    assert rows[0].mean() > 2 * rows[1].mean()
    assert rows[2].mean() > 2 * rows[3].mean()


def test_points_are_named_once():
    assert len(set(SKIN)) == len(SKIN)
    assert not set(LOWER_FACE) & set(STABLE)
