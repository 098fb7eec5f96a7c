"""What can move: one moment of the performance."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Controls:
    """One moment of the performance. Shapes and lids 0..1 (stretch -1..1), angles in radians, lengths in cm."""

    jaw: float = 0.0
    stretch: float = 0.0
    pucker: float = 0.0
    funnel: float = 0.0
    press: float = 0.0
    tuck: float = 0.0
    smile: float = 0.0
    raise_lip: float = 0.0
    depress: float = 0.0
    puff: float = 0.0
    brow_up: float = 0.0
    brow_in: float = 0.0
    squint: float = 0.0
    tongue_up: float = 0.0
    tongue_out: float = 0.0
    blink: float = 0.0
    gaze_x: float = 0.0
    gaze_y: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    shift_x: float = 0.0
    shift_y: float = 0.0
    breath: float = 0.0
    swing: float = 0.0
