"""Everything that decides the outcome of training the universal voice network."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How sounds are changed, piece by piece."""

    speed: float = 0.16
    """Largest change of tempo, pitch and formants together, as a logarithm; the motion changes its tempo with it."""
    formants: float = 0.10
    """Largest change of formants alone, likewise."""
    tilt: float = 6.0
    """Largest change of the spectrum's tilt and bend, dB at its ends."""
    room_share: float = 0.35
    """Of the pieces, those with reverberation."""
    noise_share: float = 0.5
    """Of the pieces, those with noise, music or other voices behind."""
    least_below: float = 5.0
    """dB from the voice down to the loudest noise."""
    loss_share: float = 0.1
    """Of the pieces, those from which packets were lost."""


@dataclass(frozen=True, slots=True)
class Shares:
    """Of the training pieces, by where they come from."""

    people: float = 0.5
    """Recordings with fitted expressions, some of them with another tracker's coefficients (StyleTalk) as well."""
    facegood: float = 0.1
    """One voice with an animator's face."""
    voices: float = 0.2
    """Voices without a face: visemes, and the same mouth whatever is done to the sound."""
    synthetic: float = 0.08
    """Spoken by a machine with exact phoneme times."""
    noise: float = 0.12
    """Nobody speaks."""
    held: float = 0.0
    """Held and sung vowels, which only the gate hears."""


@dataclass(frozen=True, slots=True)
class Scenes:
    """What training pieces show, as shares."""

    beginning: float = 0.25
    """Of all, those that begin with silence."""
    at_once: float = 0.0
    """Of these, those with no silence at all."""
    resumed: float = 0.0
    """Of the same, those before whose silence somebody spoke; the others are the beginning of a stream."""
    cut: float = 0.0
    """Of the same, those whose sound does not begin where the recording does, but anywhere, as by a switch."""
    far: float = 0.0
    """Of the voices, those in the background: nobody is to move his lips to them."""
    sudden: float = 0.0
    """Of the noises behind, those that begin anywhere in the piece."""
    telephone: float = 0.0
    """Of all, those over a narrow line."""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that decides the outcome."""

    seed: int = 1
    steps: int = 7000
    batch: int = 32
    hops: int = 400
    """Length of a training piece."""
    shares: Shares = field(default_factory=Shares)
    augmentation: Augmentation = field(default_factory=Augmentation)
    scenes: Scenes = field(default_factory=Scenes)
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    dropout: float = 0.2
    gap_weight: float = 0.5
    """Of the mouth's opening against all lip motion."""
    velocity_weight: float = 1.0
    viseme_weight: float = 0.5
    facegood_weight: float = 0.5
    styletalk_weight: float = 0.3
    curves_weight: float = 0.3
    """Of the visemes' dominance curves."""
    contact_weight: float = 0.2
    """Of lips that do not meet at a P, B or M, and of a lower lip away from the teeth at an F or V."""
    same_mouth_weight: float = 0.5
    """Of the difference between what is said to a changed sound and what the running mean of the network says, with
    the longest look-ahead, to the sound as it was."""
    running_mean: float = 0.999
    """What the running mean of the weights keeps at each step."""
    gate_steps: int = 8000
    gate_batch: int = 64
    gate_hops: int = 260
    """Length of a piece for the gate."""
    gate_scenes: Scenes = field(
        default_factory=lambda: Scenes(
            beginning=0.5, at_once=0.4, resumed=0.4, cut=0.4, far=0.15, sudden=0.5, telephone=0.3
        )
    )
    gate_noises: int = 1600
    """Sounds in which nobody speaks, made for the gate besides those of the corpus."""
    gate_held: int = 500
    """Voices that hold vowels or sing, likewise."""
    gate_held_share: float = 0.12
    """Of these, as in `Shares`."""
    ridge: float = 1.0
    """Penalty of the linear path that is fitted in closed form."""
    ridge_share: float = 0.5
    """Of that path in the average with the trained network."""
    least_seconds: float = 20.0
    """Of speech that give a person full weight."""
    sharpness: float = 0.5
    """Spread of the log odds that the lips meet, as a share of that of the predicted opening they are mixed into."""
    gain: tuple[float, ...] = (1.95, 2.1, 2.0, 2.0, 2.0)
    """For each look-ahead, on the motion about the mean face of speech: a predictor by squared error moves about half
    as far as people."""
    members: int = 2
    channels: int = 64
    """Of each member."""
    dilations: tuple[int, ...] = (1, 2, 4, 8)
