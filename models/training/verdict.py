"""Is the clip good enough? Said in the first minute: green, amber or red for each thing, with a sentence of advice.

What is merely in the way for a while (a hand before the mouth, the moments around a cut) is left out of the training.
Thresholds come from 65 clips of 24 people and from spoilt copies of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool
from numpy.typing import NDArray

from models.tracker import Track
from models.training.clip_file import FileFacts, file_facts
from models.training.clip_pictures import Looks, brightness, covered, cuts, look_at, shots_differ
from models.training.lip_sync import Offset, expected_opening, measure
from models.training.mouth_shapes import Mouth, missing_shapes, mouth_of
from models.video import loud_seconds, read_frames, read_sound

CUT_MARGIN_S = 0.15
"""Left out on either side of a cut: what is smoothed over time would mix the shots."""


class Light(StrEnum):
    """As at a crossing."""

    green = "green"
    amber = "amber"
    red = "red"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about the clip."""

    about: str
    found: str
    """The measurement, for people."""
    light: Light
    advice: str = ""
    """A sentence; none where all is well."""

    @property
    def red(self) -> bool:
        """Whether a puppet from this clip would be bad."""
        return self.light is Light.red


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, and which frames are of use."""

    findings: tuple[Finding, ...]
    offset: Offset
    usable: Bool[NDArray[np.bool_], " N"]

    @property
    def light(self) -> Light:
        """The worst of all."""
        return max((finding.light for finding in self.findings), key=list(Light).index)

    def report(self) -> list[dict[str, Any]]:
        """The findings as JSON has them."""
        return [asdict(finding) for finding in self.findings]


def examine(video: Path, track: Track, progress: Callable[[int, int], None] | None = None) -> Verdict:
    """Examine a clip whose face was followed."""
    sound = read_sound(video)
    assert sound is not None, "a clip without sound was refused at the start"
    file = file_facts(video)
    looks = look_at((picture for _, picture in read_frames(video)), track, progress)
    mouth = mouth_of(track)
    offset = measure(expected_opening(sound), mouth.opening, track.fps)
    begins = cuts(looks, track)
    hidden = covered(looks, track.valid)
    usable = track.valid & ~hidden & ~around(begins, len(hidden), round(CUT_MARGIN_S * track.fps))
    findings = (
        _length(loud_seconds(sound)),
        _face(track),
        mouth_finding(mouth),
        _shapes(mouth, float(track.fps)),
        _offset(offset),
        head_finding(track),
        _hidden(hidden, float(track.fps)),
        _light(looks),
        _shots(looks, begins, usable, float(track.fps)),
        _others(track),
        _rate(file, looks, float(track.fps)),
        _rows(file, looks),
        _compression(file, mouth),
        detail_finding(float(np.median(looks.detail)) if len(looks.detail) else 0.0),
    )
    return Verdict(findings, offset, usable)


def without(track: Track, usable: Bool[NDArray[np.bool_], " N"]) -> Track:
    """The track with all other frames as if no face had been found there."""
    points = np.where(usable[:, None, None], track.points, np.float32(np.nan))
    return replace(track, points=points, valid=track.valid & usable)


def around(frames: NDArray[np.integer], count: int, margin: int) -> Bool[NDArray[np.bool_], " N"]:
    """Whether each of `count` frames is within `margin` of one of `frames`, which begin something new."""
    out = np.zeros(count, np.bool_)
    for frame in frames.tolist():
        out[max(0, frame - margin) : frame + margin] = True
    return out


def graded(about: str, found: str, amber: bool, red: bool, advice: str) -> Finding:
    """A finding that has advice unless it is green."""
    light = Light.red if red else Light.amber if amber else Light.green
    return Finding(about, found, light, advice if amber or red else "")


def _length(seconds: float) -> Finding:
    advice = f"Speak {max(60 - seconds, 10):.0f} s more: what was not heard and seen must be guessed."
    return graded("Speech", f"{seconds:.1f} s", seconds < 20, seconds < 4, advice)


def _face(track: Track) -> Finding:
    share = float(track.valid.mean())
    advice = "Keep the whole face in the picture and look into the camera."
    return graded("Face found", f"in {share:.1%} of the frames", share < 0.98, share < 0.5, advice)


def mouth_finding(mouth: Mouth) -> Finding:
    """Whether it has pixels enough."""
    width = mouth.width_px
    advice = "Film from nearer or with more pixels: lips and teeth will stay soft."
    return graded("Mouth", f"{width:.0f} px wide", width < 40, width < 20, advice)


def _shapes(mouth: Mouth, fps: float) -> Finding:
    missing = missing_shapes(mouth, fps)
    seen = f"{5 - len(missing)} of 5 shapes"
    advice = f"Speak 30 s more with {' and '.join(missing)}: hardly any was seen."
    return graded("Mouth shapes", seen, bool(missing), len(missing) >= 4, advice)


def _offset(offset: Offset) -> Finding:
    if not offset.trusted:
        found = f"not measurable (r {offset.r:.2f}, ±{offset.spread_ms:.0f} ms)"
        return Finding(
            "Sound and lips", found, Light.amber, "See that sound and lips agree: it could not be measured here."
        )
    late = offset.late_ms
    said = f"{abs(late):.0f} ms {'late' if late > 0 else 'early'}" if abs(late) >= 10 else "together"
    found = f"lips {said} (±{offset.spread_ms:.0f} ms, r {offset.r:.2f})"
    return graded("Sound and lips", found, abs(late) > 150, False, "Corrected, but check how the clip was recorded.")


def head_finding(track: Track) -> Finding:
    """Whether it looks into the camera."""
    points = track.points[track.valid]
    across, up = points[:, 263] - points[:, 33], points[:, 10] - points[:, 152]
    turn = np.degrees(np.abs(np.arctan2(across[:, 2], across[:, 0])))
    tilt = np.degrees(np.arctan2(up[:, 2], -up[:, 1]))
    most = float(max(np.quantile(turn, 0.95), np.abs(np.quantile(tilt, [0.05, 0.95]) - np.median(tilt)).max()))
    advice = "Turn the head less: the far side of the mouth was hardly seen."
    return graded("Head turn", f"up to {most:.0f}°", most > 30, most > 55, advice)


def _hidden(hidden: Bool[NDArray[np.bool_], " N"], fps: float) -> Finding:
    seconds, share = float(hidden.sum() / fps), float(hidden.mean())
    when = f", first at {np.argmax(hidden) / fps:.1f} s" if seconds else ""
    advice = "Keep hands and microphone away from the mouth; these moments are left out."
    return graded("Mouth hidden", f"{seconds:.1f} s{when}", share > 0.005, share > 0.3, advice)


def _light(looks: Looks) -> Finding:
    level = brightness(looks)
    level = level[~np.isnan(level)]
    calm = np.convolve(level, np.ones(5) / 5, "valid") if len(level) >= 5 else level
    drift = float(np.ptp(np.quantile(calm, [0.05, 0.95])) / np.median(calm))
    flicker = float(np.abs(np.diff(level)).mean() / np.median(level))
    advice = "Use steady light and a fixed exposure: the puppet would change colour with the background."
    return graded(
        "Light", f"changes by {drift:.0%}, flickers by {flicker:.1%}", drift > 0.2 or flicker > 0.03, False, advice
    )


def _shots(looks: Looks, begins: NDArray[np.intp], usable: Bool[NDArray[np.bool_], " N"], fps: float) -> Finding:
    longest = max((len(shot) for shot in np.split(usable, begins)), default=0) / fps
    if not len(begins):
        return Finding("Shots", "one", Light.green)
    strange = shots_differ(looks, begins) > 0.04
    where = ", ".join(f"{frame / fps:.1f} s" for frame in begins[:5].tolist())
    advice = (
        "Cut the clip to one shot: the shots show different people or light."
        if strange
        else f"Film in one go: the background can only show one shot, of {longest:.0f} s at most."
    )
    return graded("Shots", f"{len(begins) + 1}, cuts at {where}", True, strange or longest < 3, advice)


def _others(track: Track) -> Finding:
    advice = "Crop the video to one person."
    found = f"in {track.rivals:.0%} of the clip" if track.rivals else "none"
    return graded("Other people", found, track.rivals > 0, track.rivals >= 0.25, advice)


def _rate(file: FileFacts, looks: Looks, fps: float) -> Finding:
    repeated = float((looks.change[1:] < 0.02).mean()) if len(looks.change) > 1 else 0.0
    still = repeated > 0.95
    shown = min(float(file.rate), fps * (1 - repeated))
    advice = "Film with 25 pictures a second or more: lips that close for a moment are missed."
    found = "a still picture" if still else f"{shown:.0f} pictures a second"
    return graded("Frame rate", found, shown < 22, still or shown < 12, advice)


def _rows(file: FileFacts, looks: Looks) -> Finding:
    torn = len(looks.combing) > 0 and float(np.median(looks.combing)) > 6
    advice = "Deinterlace the clip first (ffmpeg -vf bwdif): lips that move are torn into stripes."
    marked = file.interlaced and not torn
    found = "interlaced" if torn else "whole, though marked as interlaced" if marked else "whole"
    return graded("Rows", found, marked, torn, advice)


def _compression(file: FileFacts, mouth: Mouth) -> Finding:
    bits = file.bits_per_pixel * mouth.width_px**2
    advice = "Use the camera's own file: compression has wiped out what moves at the lips."
    return graded("Compression", f"{bits:.0f} bits a frame for the mouth", bits < 45, bits < 15, advice)


def detail_finding(share: float) -> Finding:
    """Whether the skin is sharp. `share`: `fine_share` of the lower face."""
    advice = "Check the focus, or film with more pixels: the skin is soft."
    return graded("Sharpness", f"{share:.1%} of the contrast is fine detail", share < 0.055, False, advice)
