"""From what a consumer saw to figures: delay, onset, floor, missed deadlines, offset of the sound, drift.

The delay of a moment of the voice runs from when it sounded at the microphone until the consumer sees the first frame
that shows this moment or a later one. Frame n shows the sample at which its time begins. Moments lie 1 ms apart, so
that the wait for the next frame is part of every percentile, and a frame left out makes the moments before it later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.bench.alignment import align
from realtime.bench.capture import BLOCK
from realtime.bench.rehearsal import Phase, PhasedTelemetry, Plan
from realtime.bench.witness import Recording, Witness
from realtime.clock import samples_before
from realtime.errors import InputError
from realtime.media import SAMPLE_RATE, Samples

MOMENT = SAMPLE_RATE // 1000
"""Samples between two moments: 1 ms."""
PAUSE_S, ONSET_S = 0.3, 1.0
"""After at least so long a silence, the voice's first second is its onset."""
SILENCE = 0.01
"""Root mean square under which 10 ms of voice are silent."""
DECLARED = ("wait_for_tick", "look_ahead", "capture_block")
"""The parts of the delay that are so by design."""
TAKEN = ("frames_left_out", "way_in", "animate", "pace")
"""The parts that were measured. "way_in" is what the voice takes to the animator after all of it has sounded; what is
left in the end is the picture's way out."""
LATE = 0.5
"""Frame times after its place in the even row from which a frame has missed its deadline."""
UNEXPLAINED_MS = 10
"""Milliseconds of delay that may come from nowhere before the declared delay is called wrong."""
UNDERSTOOD = 0.6
"""Share of the voice that must have come through for the delay to be told."""
MOST_MISSED = 0.02
"""Share of missed frames from which the sum of the stages tells nothing."""
EARLY_MS = 2
"""Milliseconds by which a frame may seem to come too early: what alignment and clocks leave."""

Times = NDArray[np.float64]
Marks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What is known after a run."""

    plan: Plan
    look_ahead: int
    """Samples after a frame's end that were waited for."""
    witness: Witness
    heard: Samples
    """The voice as it came to the animator."""
    began: Times
    """When the drawing of each frame began (s), by the numbers painted into them."""
    captured: Recording
    """The voice at the microphone."""
    returned: Recording | None
    """The voice as the consumer heard it come back; None if none did."""
    telemetry: PhasedTelemetry
    cpu_s: float
    """Processor seconds that the serving process has used."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """The delay over time, for a picture of it."""

    at: Times
    """Seconds since the first frame was seen [moments]."""
    delay: Times
    """s"""
    real: Marks
    floor: Marks
    onset: Marks


def figures(outcome: Outcome, through: str) -> tuple[dict[str, Any], Series]:
    """The figures as in the JSON file, in milliseconds; and what they were made from.

    Raises:
        InputError: the run was too short, or the consumer saw or heard nothing.
    """
    plan, witness = outcome.plan, outcome.witness
    numbers, at = np.array(witness.numbers, np.int64), np.array(witness.times)
    phases = np.array([plan.phase(number) for number in numbers], object)
    if np.count_nonzero(phases == Phase.REAL) < 2:
        raise InputError(
            f"The consumer read only {len(numbers)} frame numbers ({witness.unread} pictures had none that could be "
            "read), which is too few: give more --seconds, or look whether the consumer shows the picture at all."
        )
    shows = np.array([samples_before(int(number), plan.fps) for number in numbers], np.float64)
    there = align(outcome.heard, outcome.captured.samples)
    if not there.found:
        raise InputError("What the puppet heard is not what was said: the voice was lost on its way.")
    if there.share < UNDERSTOOD:
        raise InputError(
            f"Of what was said only {there.share:.0%} came to the puppet unbroken, too little to tell the delay: the "
            "machine has not kept up. End other work on it, or take a smaller --size or --fps."
        )
    said = there.to_other(shows)  # sample numbers at the microphone of what each frame shows
    moments = np.arange(said[0], said[-1], MOMENT) + MOMENT / 2
    moments = moments[moments < said[-1]]
    shown_by = np.searchsorted(said, moments)
    delay = at[shown_by] - outcome.captured.time(moments)
    onset = _onset(outcome.captured.samples, moments)
    real, floor = phases[shown_by] == Phase.REAL, phases[shown_by] == Phase.FLOOR
    offset, drift = _offset(outcome, shows[phases == Phase.REAL], at[phases == Phase.REAL])
    as_heard = moments - (said - shows)[shown_by]
    parts = _parts(outcome, as_heard[real], shows[shown_by][real])
    until_drawn = outcome.began[numbers[shown_by]][real] - outcome.captured.time(moments[real])
    parts["way_in"] = until_drawn - np.sum(list(parts.values()), axis=0)
    stages = _stages(outcome, parts)
    missed = _missed(plan, phases == Phase.REAL, said * float(plan.fps / SAMPLE_RATE), at)
    result = {
        "delay_ms": percentiles(delay[real & ~onset]),
        "onset_ms": percentiles(delay[onset & (real | (moments < SAMPLE_RATE))]),
        "frame_ms": stages["frame"],
        "stages_ms": stages,
        "floor_ms": percentiles(delay[floor]),
        "missed": missed,
        "offset_ms": offset,
        "drift_ms_per_h": drift,
        "cpu_cores": round(outcome.cpu_s / float(at[-1] - at[0]), 3),
        "declared_ms": _check(delay[real], parts, stages, missed, through),
        "frames": {"seen": len(numbers), "unread": witness.unread},
    }
    return result, Series(at[shown_by] - at[0], delay, real, floor, onset)


def percentiles(seconds: Times) -> dict[str, float]:
    """p50, p95, p99 in milliseconds; empty if there is nothing."""
    if len(seconds) == 0:
        return {}
    return {f"p{percent}": round(float(np.percentile(seconds, percent)) * 1000, 2) for percent in (50, 95, 99)}


def _onset(voice: Samples, moments: Times) -> Marks:
    """Which moments lie in the first second after a pause."""
    blocks = voice[: len(voice) // BLOCK * BLOCK].reshape(-1, BLOCK)
    loud = np.sqrt(np.mean(np.square(blocks), 1)) > SILENCE
    pause = int(PAUSE_S * SAMPLE_RATE / BLOCK)
    padded = np.concatenate([np.zeros(pause, bool), loud])
    begins = [block for block in np.flatnonzero(loud) if not padded[block : block + pause].any()]
    marks = np.zeros(len(moments), bool)
    for begin in begins:
        since = moments / SAMPLE_RATE - begin * BLOCK / SAMPLE_RATE
        marks |= (since >= 0) & (since < ONSET_S)
    return marks


def _parts(outcome: Outcome, moments: Times, shown: Times) -> dict[str, Times]:
    """The parts of the delay that are so by design (`DECLARED`), and what frames left out add, for each moment (s).

    Args:
        moments: sample numbers.
        shown: sample number of the moment that the frame seen for it shows.
    """
    fps = outcome.plan.fps
    number = np.ceil(moments * float(fps / SAMPLE_RATE) - 1e-9)  # of the frame that ought to have been seen
    moment = np.floor(number * float(SAMPLE_RATE / fps) + 1e-9)
    needed = np.floor((number + 1) * float(SAMPLE_RATE / fps) + 1e-9) + outcome.look_ahead
    return {
        "wait_for_tick": (moment - moments) / SAMPLE_RATE,
        "look_ahead": (needed - moment) / SAMPLE_RATE,
        "capture_block": (-needed % BLOCK) / SAMPLE_RATE,
        "frames_left_out": (shown - moment) / SAMPLE_RATE,
    }


def _stages(outcome: Outcome, parts: Mapping[str, Times]) -> dict[str, dict[str, float]]:
    by_moment = {
        name: {**percentiles(times), "mean": round(float(times.mean()) * 1000, 2)} for name, times in parts.items()
    }
    report = outcome.telemetry.phases[Phase.REAL].report()["stages"]
    assert isinstance(report, dict)
    by_frame = {
        name: {figure: stage[f"{figure}_ms"] for figure in ("p50", "p95", "p99", "mean")}
        for name, stage in report.items()
        if name != "delay"
    }
    return by_moment | by_frame


def _check(
    delay: Times,
    parts: Mapping[str, Times],
    stages: Mapping[str, Mapping[str, float]],
    missed: float,
    through: str,
) -> dict[str, float | str]:
    """Whether what the stages declare and take adds up to what the consumer saw; means, since these can be added."""
    declared = sum(stages[name]["mean"] for name in DECLARED)
    taken = sum(stages[name]["mean"] for name in TAKEN if name in stages)
    rest = 1000 * float(delay.mean()) - declared - taken
    waited_for = np.sum([times for name, times in parts.items() if name != "way_in"], axis=0)
    early = -1000 * float(np.min(delay - waited_for))
    verdict = "as declared"
    if missed > MOST_MISSED:
        verdict = "too many frames were missed to tell"
    elif early > EARLY_MS:
        verdict = f"MISMATCH: frames were seen {early:.0f} ms before all that they should wait for had sounded"
    elif through in ("null", "camera") and abs(rest) > UNEXPLAINED_MS:
        verdict = f"MISMATCH: {rest:.0f} ms of delay belong to no stage"
    return {"mean": round(declared, 2), "taken_by_stages": round(taken, 2), "rest": round(rest, 2), "verdict": verdict}


def _missed(plan: Plan, real: Marks, position: Times, at: Times) -> float:
    """Share of the real animator's steady frames that were not seen, or not in time.

    Args:
        plan: of the run.
        real: which of the frames seen count.
        position: of the frames seen in the stream, in frames.
        at: when they were seen (s).
    """
    missed = total = 0
    turns = np.cumsum(np.diff(real, prepend=False))
    for turn in np.unique(turns[real]):
        place, seen = np.round(position[turns == turn]), at[turns == turn]
        late = seen - place / float(plan.fps)
        due = int(place[-1] - place[0]) + 1
        in_time = int(np.count_nonzero(late <= np.median(late) + LATE / float(plan.fps)))
        missed, total = missed + due - in_time, total + due
    return round(missed / total, 5)


def _offset(outcome: Outcome, shows: Times, at: Times) -> tuple[dict[str, float], float | None]:
    """By how much the sound came after its picture at the consumer (ms), and the drift of that (ms per hour)."""
    if outcome.returned is None:
        return {}, None
    there = align(outcome.heard, outcome.returned.samples)
    if not there.found:  # it was torn too much
        return {}, None
    offset = outcome.returned.time(there.to_other(shows)) - at
    drift = np.polyfit(at, offset, 1)[0] * 3_600_000
    return {"p5": round(float(np.percentile(offset, 5)) * 1000, 2), **percentiles(offset)}, round(float(drift), 1)
