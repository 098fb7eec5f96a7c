"""`calibrate.py` on a clip of the bundled character, from the file to a puppet that speaks; stopped on the way."""

from fractions import Fraction
from pathlib import Path

import av
import pytest

import calibrate
from export import stages
from export.calibration import HELD_OUT
from models.background import Background
from models.errors import InputError
from models.puppet import FILES, Puppet
from models.tracker import Track
from models.training import train_renderer
from models.video import read_sound

BUNDLED = Path(__file__).parents[2] / "models" / "bundled"
SECONDS = 6


@pytest.fixture(scope="module")
def clip(filmed: Background, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The character, silent in the picture and speaking in the sound: enough to run every stage."""
    puppet = Puppet.bundled()
    path = tmp_path_factory.mktemp("calibrate") / "character.mp4"
    with av.open(str(path), "w") as file:
        picture = file.add_stream("libx264", rate=puppet.fps, options={"crf": "14"})
        picture.width, picture.height, picture.pix_fmt = puppet.manifest.width, puppet.manifest.height, "yuv420p"
        sound = file.add_stream("aac", rate=16_000, layout="mono")
        for n in range(int(SECONDS * puppet.fps)):
            file.mux(picture.encode(av.VideoFrame.from_ndarray(filmed.frame(n), format="rgb24")))
        file.mux(picture.encode(None))
        voice = read_sound(BUNDLED / "hello.wav")
        assert voice is not None
        frame = av.AudioFrame.from_ndarray(voice[None, : SECONDS * 16_000].copy(), format="flt", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = 16_000, Fraction(1, 16_000), 0
        file.mux(sound.encode(frame))
        file.mux(sound.encode(None))
    return path


def test_a_clip_becomes_a_puppet_after_an_interruption(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(calibrate.MINUTES, calibrate.Effort.quick, (0.1, 0.1))
    out = tmp_path / "somebody"

    def arguments() -> dict[str, object]:
        return {"video": clip, "out": out, "consent": "A made character.", "effort": calibrate.Effort.quick, "jobs": 1}

    with monkeypatch.context() as stopped:
        stopped.setattr(train_renderer._Training, "step", _stop)
        with pytest.raises(KeyboardInterrupt):
            calibrate.calibrate(**arguments())
    work = tmp_path / ".somebody.calibration"
    assert not out.exists()
    track = Track.load(work / "track.npz")

    with pytest.raises(InputError, match="unfinished calibration of another clip or with other options"):
        calibrate.calibrate(**arguments() | {"effort": calibrate.Effort.best})

    for done in ("track_video", "fit", "prepare"):
        monkeypatch.setattr(stages, done, None)  # what was done is not done again
    calibrate.calibrate(**arguments())
    assert not work.exists()
    puppet = Puppet.load(out)
    assert puppet.manifest.consent == "A made character."
    assert {path.name for path in out.iterdir()} == {
        *FILES,
        "puppet.json",
        "held_out.mp4",
        "fit.jpg",
        "report.html",
        "verdict.json",
        "learned",
    }
    kept = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    assert kept - (out / "background.mp4").stat().st_size < 30e6
    with av.open(str(out / "held_out.mp4")) as file:
        assert sum(1 for _ in file.decode(video=0)) == round(SECONDS * 25 * HELD_OUT)

    improve_it(clip, track, out, monkeypatch)


def improve_it(clip: Path, track: Track, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same clip once more is not much, but it is the same person's; face and background stay."""
    monkeypatch.undo()
    monkeypatch.setattr(stages, "track_video", lambda *_: track)
    monkeypatch.setitem(calibrate.MINUTES, calibrate.Effort.quick, (0.05, 0.05))
    old = {name: (out / name).read_bytes() for name in FILES}
    calibrate.improve(out, clip, effort=calibrate.Effort.quick, jobs=1, force=True)
    new = {name: (out / name).read_bytes() for name in FILES}
    assert Puppet.load(out).manifest.consent == "A made character."
    assert {name for name in FILES if new[name] != old[name]} >= {"renderer.onnx", "expression.onnx"}
    assert all(new[name] == old[name] for name in ("face.safetensors", "track.safetensors", "background.mp4"))
    assert (out / "learned" / "trained.safetensors").is_file()
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def _stop(*_: object) -> None:
    raise KeyboardInterrupt
