"""`calibrate.py` on a photo: a puppet that speaks at once, that says what it is, and that cannot learn."""

import html
import json
import re
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

import calibrate
from export import photo
from export.engine import FOR_PICTURES, FOR_VOICE, load
from models.background import Background
from models.errors import InputError, PuppetError, TrackingError, VideoError
from models.portrait import PaintedPortrait
from models.puppet import Puppet
from models.puppeteer import Puppeteer
from models.video import read_sound
from models.voice_stream import VoiceStream

BUNDLED = Path(__file__).parents[2] / "models" / "bundled"
FRAMES = 12


@pytest.fixture(scope="module")
def picture(filmed: Background, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "character.png"
    cv2.imwrite(str(path), filmed.frame(0)[..., ::-1])
    return path


def test_a_photo_becomes_a_puppet_that_speaks(picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(photo, "FRAMES", FRAMES)
    out = tmp_path / "somebody"
    calibrate.calibrate(picture, out, "A made character.")
    assert [path.name for path in tmp_path.iterdir()] == ["somebody"]
    puppet = Puppet.load(out)
    assert puppet.manifest.consent == "A made character."
    verdict = json.loads((out / "verdict.json").read_text())
    assert (verdict[0]["found"], verdict[0]["light"]) == ("one photo", "amber")
    assert {finding["light"] for finding in verdict} <= {"green", "amber"}
    report = (out / "report.html").read_text()
    assert "somebody: A made character." in report
    assert verdict[0]["advice"] in html.unescape(report)
    assert len(re.findall(r'src="data:image/jpeg', report)) == 1

    voice = VoiceStream(load(out / "expression.onnx", FOR_VOICE), 80)
    puppeteer = Puppeteer(puppet, voice, PaintedPortrait(puppet, load(out / "renderer.onnx", FOR_PICTURES)))
    background = Background(out / "background.mp4", FRAMES)
    sound = read_sound(BUNDLED / "hello.wav")
    assert sound is not None
    state, openings, at = puppeteer.initial_state(), [], 0
    for n in range(40):
        end = (n + 1) * 640 + puppeteer.look_ahead
        shown, state = puppeteer.step(sound[at:end], state)
        at = end
        changed = np.abs(shown.astype(int) - background.frame(n)).max(axis=2) > 24
        openings.append(int(changed.sum()))
    assert max(openings) > 10 * (min(openings) + 5)  # the mouth opens, and is shut again
    assert puppet.fps == Fraction(25)

    with pytest.raises(PuppetError, match="does not keep what it has learned"):
        calibrate.improve(out, picture)


def test_photos_that_cannot_be_used(picture: Path, tmp_path: Path):
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((200, 200, 3), 90, np.uint8))
    seen = cv2.imread(str(picture))
    cv2.imwrite(str(tmp_path / "two.png"), np.hstack([seen, seen[:, ::-1]]))
    for name, error, says in (
        ("broken.jpg", VideoError, "no picture that can be read"),
        ("absent.jpg", VideoError, "cannot be read"),
        ("wall.png", TrackingError, "No face was found"),
        ("two.png", InputError, "Crop the photo to one person"),
    ):
        with pytest.raises(error, match=says):
            calibrate.calibrate(tmp_path / name, tmp_path / "out", "A made character.")
    assert not (tmp_path / "out").exists()
