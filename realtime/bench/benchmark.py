"""The latency benchmark from end to end: a voice in real time, a consumer that reads frame numbers back, figures.

It knows no network: the animator, and the stand-in that does everything but the networks, are handed in.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.bench import bad_network, chromium, inside, mouth, over_webrtc
from realtime.bench.figures import Outcome, Series, figures
from realtime.bench.inside import Observed, Stage
from realtime.bench.machine import machine
from realtime.bench.rehearsal import PhasedTelemetry, Plan, Rehearsal
from realtime.bench.through import Through
from realtime.clock import Clock
from realtime.media import SAMPLE_RATE, Samples
from realtime.ports import Animator
from realtime.sources.wav import WavSource

BREATH = SAMPLE_RATE
"""Samples of silence between two readings of the voice file: 1 s."""


CONSUMERS: dict[Through, Callable[[Stage], Awaitable[Observed]]] = {
    Through.NULL: inside.null,
    Through.CAMERA: inside.camera,
    Through.WEBRTC: over_webrtc.webrtc,
    Through.CHROMIUM: chromium.chromium,
}


async def measure(
    real: Animator[Any],
    floor: Animator[Any],
    telemetry: PhasedTelemetry,
    voice: Samples,
    through: Through,
    clock: Clock,
    clicks: NDArray[np.int64] | None = None,
    sound: bool = True,
    losses: bool = False,
) -> tuple[dict[str, Any], Series]:
    """Let the puppet speak a voice and measure the delay; see `realtime.bench.figures`.

    Args:
        real: what is measured.
        floor: the same without networks.
        telemetry: that both tell what their stages take.
        voice: as long as the run shall be.
        through: where the pictures go.
        clock: of the run.
        clicks: where vowels begin, if the voice is made of them (`realtime.bench.mouth.clicks_and_vowels`). Then the
            stand-in does not take turns, and the frames are found that open the mouth.
        sound: send the voice back with the picture (WebRTC).
        losses: let the network be bad at times (WebRTC; see `realtime.bench.bad_network`). Then the stand-in does not
            take turns, either.

    Raises:
        InputError: the consumer cannot be used, or saw nothing; with `losses`, see `bad_network.check`.
    """
    seconds = Fraction(len(voice), SAMPLE_RATE)
    if losses:
        bad_network.check(through, float(seconds))
    taking_turns = clicks is None and not losses
    plan = (Plan.spread_over if taking_turns else Plan.without_turns)(seconds, real.fps)
    network = bad_network.BadNetwork() if losses else None
    rehearsal = Rehearsal(real, floor, plan, telemetry, clock)
    load = machine()
    before = _cpu()
    observed = await CONSUMERS[through](
        Stage(rehearsal, voice, telemetry, clock, thumbs=clicks is not None, sound=sound, network=network)
    )
    heard = np.concatenate(rehearsal.heard)
    outcome = Outcome(
        plan,
        real.look_ahead,
        observed.witness,
        heard,
        np.array(rehearsal.began),
        observed.captured,
        observed.returned,
        telemetry,
        _cpu() - before,
    )
    measured, series = figures(outcome, through.value)
    if clicks is not None:
        measured["acoustic_ms"] = mouth.acoustic(real, observed, heard, voice, clicks)
    if network is not None:
        first = observed.witness.times[0]
        measured["losses_ms"] = bad_network.recovery(
            network.ends(observed.witness.times[-1]), series.at + first, series.delay, observed.witness
        )
    about = {
        "machine": load,
        "size": f"{real.width}x{real.height}",
        "fps": float(real.fps),
        "through": through.value + ("" if sound else ", picture only"),
        "seconds": round(float(seconds), 1),
    }
    return about | measured, series


async def read_voice(path: Path, seconds: float) -> Samples:
    """A file's sound, again and again with a pause in between, until `seconds` are full.

    Raises:
        InputError: see `WavSource`.
    """
    source = WavSource(path)
    once = np.concatenate([chunk.samples async for chunk in source.chunks()] + [np.zeros(BREATH, np.float32)])
    return np.resize(once, round(seconds * SAMPLE_RATE))


def _cpu() -> float:
    times = os.times()
    return times.user + times.system
