"""The character's performance: what it says and how it moves, the same at every run.

Speech drives the mouth (visemes.py). Head, gaze, lids, brows and breath move as people's do in a video call: slow
wandering, nods on loud syllables, eyes that stay with the viewer, a blink every two to five seconds.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.character.controls import Controls
from models.character.speech import Phone, Speech, Voice, speak
from models.character.visemes import MOUTH, mouth_curves

FPS = 25
Curve = NDArray[np.float64]

HELLO = (
    "Hello! I am Marotte, a puppet's head on a stick. Lend me your voice, and I will move my lips to it. "
    "Shall we begin? Just speak."
)
VOICE = Voice("en-us+f3", rate=142, pitch=42, range=58)

SAID = (
    "Good morning, everybody! My name is Marotte, and I live in a wooden box beneath a little stage.",
    "In the old days, every fool at court had one. They used to argue, and the puppet always won.",
    "Now I have moved into your computer. You bring the voice, I bring the face.",
    "Peter Piper picked a peck of pickled peppers. Five brave wolves have found a very fine view of the river.",
    "Why do you choose those beige shoes? You should use the blue ones, they look so smooth.",
    "Oh, how I love warm weather, slow music, and huge bowls of yellow soup!",
    "She sells sea shells by the shore, and he thinks that both of them are worth three thousand thanks.",
    "Please keep me near the camera. I hope we may meet again before the moon goes up. Bye bye!",
)
# The range of motion: exaggerated sounds, spoken slowly.
STRETCHED = "Aah. Ooh. Eee. Oh. Mama, papa, baby. Five, vivid. Wow, we, you. Yah, yah. Thaw, the. Cheese! Shoe. Ow!"
STRETCH_GAIN = 1.55


@dataclass(frozen=True)
class Performance:
    """One `Controls` per frame at FPS, and the sound: float32 mono at `rate` Hz, exactly as long as the frames."""

    frames: list[Controls]
    samples: NDArray[np.float32]
    rate: int


def performance(seed: int = 7) -> Performance:
    """The whole film: an opening smile, speech, the range of motion, a closing smile."""
    takes = [(speak(text, VOICE), 1.0) for text in SAID]
    takes.append((speak(STRETCHED, Voice(VOICE.name, rate=105, pitch=VOICE.pitch, range=40)), STRETCH_GAIN))
    return act(takes, seed)


def act(
    takes: list[tuple[Speech, float]], seed: int, opening: float = 1.2, pause: float = 0.40, closing: float = 3.6
) -> Performance:
    """Speak the takes one after another, each with its own gain of the mouth's motion; times in seconds."""
    rate = takes[0][0].rate
    starts, phones, sound, now = [], [], [np.zeros(round(opening * rate), np.float32)], opening
    for speech, _ in takes:
        starts.append(now)
        gap = np.zeros(round(pause * rate), np.float32)
        sound += [speech.samples, gap]
        now = sum(map(len, sound)) / rate
    count = int(np.ceil((now + closing) * FPS))
    samples = np.concatenate(sound)
    samples = np.pad(samples, (0, count * rate // FPS - len(samples)))
    times = (np.arange(count) + 0.5) / FPS
    mouth = np.zeros((count, len(MOUTH)))
    for (speech, gain), start in zip(takes, starts, strict=True):
        moved = [Phone(p.ipa, p.start + start, p.end + start) for p in speech.phones]
        phones += moved
        mouth += np.clip(gain * mouth_curves(moved, times), 0, 1)
    curves = dict(zip(MOUTH, np.clip(mouth, 0, 1).T, strict=True))
    curves.update(_body(times, samples, rate, np.random.default_rng(seed), now))
    return Performance([Controls(**{k: float(v[n]) for k, v in curves.items()}) for n in range(count)], samples, rate)


def wander(times: Curve, periods: tuple[float, ...], random: np.random.Generator) -> Curve:
    """A smooth curve of about unit size: sines of the given periods (s) with random phases."""
    waves = [
        np.sin(2 * np.pi * times / (period * random.uniform(0.9, 1.1)) + random.uniform(0, 6.3)) / np.sqrt(k + 1)
        for k, period in enumerate(periods)
    ]
    return np.sum(waves, axis=0) / np.sqrt(np.sum([0.5 / (k + 1) for k in range(len(periods))])) * 0.7


def loudness(samples: NDArray[np.float32], rate: int, times: Curve) -> Curve:
    """Smoothed level 0..1 of the sound at the given times."""
    size = rate // FPS
    level = np.sqrt(np.mean(samples[: len(times) * size].reshape(-1, size) ** 2, axis=1))
    level = level / max(np.percentile(level, 95), 1e-3)
    kernel = np.hanning(9) / np.hanning(9).sum()
    return np.clip(np.convolve(level, kernel, "same"), 0, 1.2)


def blinks(times: Curve, random: np.random.Generator) -> Curve:
    """Lid closure 0..1: shut within 0.1 s, closed for 0.05 s, open again within 0.2 s."""
    closure = np.zeros_like(times)
    moment = 1.6
    while moment < times[-1]:
        t = times - moment
        shut = np.clip(np.minimum((t + 0.10) / 0.10, (0.25 - t) / 0.20), 0, 1)
        closure = np.maximum(closure, shut * shut * (3 - 2 * shut))
        moment += random.uniform(2.0, 5.0)
    return closure


def glances(times: Curve, random: np.random.Generator) -> tuple[Curve, Curve]:
    """Where the eyes look (rad, right and up): near the viewer, with quick jumps."""
    x, y = np.zeros_like(times), np.zeros_like(times)
    moment = 0.0
    target = np.zeros(2)
    while moment < times[-1]:
        away = random.uniform() < 0.22
        following = random.normal(0, (0.13, 0.06) if away else (0.025, 0.02))
        blend = np.clip((times - moment) / 0.06, 0, 1)
        now = times >= moment
        x = np.where(now, target[0] + blend * (following[0] - target[0]), x)
        y = np.where(now, target[1] + blend * (following[1] - target[1]), y)
        target = following
        moment += random.uniform(0.4, 0.9) if away else random.uniform(0.8, 2.6)
    return x, y


def pendulum(pull: Curve, stiffness: float = 55.0, damping: float = 4.5) -> Curve:
    """How the cap's horns follow: a damped spring driven by the curve's acceleration."""
    angle, speed, out = 0.0, 0.0, np.zeros_like(pull)
    drive = np.gradient(np.gradient(pull)) * FPS * FPS
    for n in range(len(pull)):
        for _ in range(8):
            speed += (-stiffness * angle - damping * speed - drive[n]) / (8 * FPS)
            angle += speed / (8 * FPS)
        out[n] = angle
    return out


def _body(
    times: Curve, samples: NDArray[np.float32], rate: int, random: np.random.Generator, spoken: float
) -> dict[str, Curve]:
    """Everything but the mouth's speech; `spoken`: when the last word ends."""
    level = loudness(samples, rate, times)
    slow = np.convolve(level, np.hanning(15) / np.hanning(15).sum(), "same")
    yaw = np.radians(5.2) * wander(times, (9.0, 4.3, 2.1), random)
    pitch = np.radians(2.4) * wander(times, (7.0, 3.1, 1.3), random) + np.radians(2.6) * (slow - 0.35)
    roll = np.radians(2.2) * wander(times, (8.0, 3.7), random) - 0.18 * yaw
    shift = 0.35 * wander(times, (11.0, 5.0), random)
    look_x, look_y = glances(times, random)
    lids = blinks(times, random)
    ends = np.exp(-(((times - 0.3) / 0.8) ** 2)) + np.clip((times - spoken) / 0.6, 0, 1)
    grin = ends * (1 + 0.4 * np.sin(2 * np.pi * 0.4 * (times - spoken)) * (times > spoken))
    smile = np.clip(0.16 + 0.12 * wander(times, (6.0, 2.9), random) * (1 - 0.5 * slow) + 0.6 * grin, 0, 1)
    brow = np.clip(0.22 * wander(times, (5.0, 1.9), random) + 0.7 * (slow - 0.4) + 0.1, 0, 1)
    frown = np.clip(0.25 * wander(times, (6.5, 2.3), random) - 0.1, 0, 0.5)
    puff = np.exp(-(((times - spoken - 3.1) / 0.35) ** 2))  # at the very end it puffs its cheeks
    return {
        "yaw": yaw,
        "pitch": pitch,
        "roll": roll,
        "shift_x": shift,
        "shift_y": 0.12 * wander(times, (3.9, 2.0), random),
        "gaze_x": np.clip(look_x - 0.8 * yaw, -0.4, 0.4),
        "gaze_y": np.clip(look_y + 0.8 * pitch, -0.25, 0.25),
        "blink": lids,
        "brow_up": np.clip(brow, 0, 0.8),
        "brow_in": frown,
        "smile": smile * (1 - 0.8 * puff),
        "squint": 0.30 * smile,
        "puff": puff,
        "breath": np.sin(2 * np.pi * times / 3.8),
        "swing": pendulum(12 * roll + 0.4 * shift + 4 * yaw),
    }
