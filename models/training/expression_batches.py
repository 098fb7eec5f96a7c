"""What one training step of the voice network sees: pieces of the corpus, changed by chance, on one device.

Letters: B batch, T hops, J hop boundaries of a piece (from max(DELAYS) before its second to its last), F folds,
R lip components, S sounds, N hops and Q rows of the whole corpus.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from models.audio_encoder import MEMORY, PRESENCE, QUIETEST, SMOOTHING, AudioEncoder
from models.training import power_changes as changes
from models.training.expression_config import Config
from models.training.folds import Fold
from models.training.linear_path import DELAYS, LOUD
from models.training.visemes import UNKNOWN
from models.training.voice_corpus import Corpus, Powers, powers_of

AHEAD = max(DELAYS)
CLOSING = 20
"""Hops that a mouth may take to close after the last sound."""
PAUSE = 40
"""Hops without a sound that still belong to speech."""
ONSET = 4
"""Hops before the first sound in which the mouth may already move."""
LEAD = 120
"""Most hops before the first sound in a piece that begins with silence."""
STOPPING_SHARE = 0.2
"""Of the pieces, those in which the voice stops."""
WARM = 60
"""Hops until the network's memory is filled, in a piece from the middle of a recording."""
LOUDNESS = (-45.0, -3.0)
"""dBFS of voices."""
QUIET = 35.0
"""dB from the voice down to the quietest noise."""
BABBLE_SHARE, BABBLE_BELOW = 0.2, 12.0
"""Of the noises, other voices; at least so many dB below."""
FAR_BELOW = 18.0, 40.0
"""dB from the voice down to other people's in the background."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Pieces of sounds, and what is known at their hop boundaries; see `at`."""

    features: Float[Tensor, "B features T"]
    plain: Float[Tensor, "B features T"]
    """The same words as they were recorded."""
    targets: dict[str, Float[Tensor, "B J width"]]
    """By domain; `lips` are the components of all folds."""
    known: dict[str, Bool[Tensor, "B J"]]
    visemes: Int[Tensor, "B J"]
    speaks: Float[Tensor, "B J"]
    """1 where somebody speaks, 0 where nobody does, NaN where it is not clear."""
    warm: Bool[Tensor, "B T"]
    learns: Float[Tensor, "F B"]
    """1 for folds that may learn from the piece."""


def at(values: Tensor, delay: int) -> Tensor:
    """What hop h shall say with a look-ahead of `delay` hops: the value at boundary h + 1 - delay."""
    return values[:, AHEAD - delay : values.shape[1] - delay]


class Batches:
    """Draws batches.

    Args:
        corpus: everything.
        folds: who may learn from whom.
        encoder: on the device; its spectrum is set.
        config: shares and augmentation.
        device: whose own generator of random numbers makes the choices.
    """

    def __init__(
        self, corpus: Corpus, folds: Sequence[Fold], encoder: AudioEncoder, config: Config, device: str
    ) -> None:
        self._corpus, self._folds, self._config = corpus, folds, config
        self._encoder, self._device = encoder, device
        sounds = corpus.sounds
        self._first, self._hops, self._row = (
            torch.tensor([getattr(sound, key) for sound in sounds], device=device) for key in ("first", "hops", "row")
        )
        self._learns = torch.tensor([[float(f.learns(s.person)) for f in folds] for s in sounds], device=device).T
        self._idle = torch.tensor([sound.source == "noise" for sound in sounds], device=device)
        self._chances = _chances(corpus, asdict(config.shares), device)
        self._behind = _chances(corpus, {"noise": 1 - BABBLE_SHARE, "voices": BABBLE_SHARE}, device)
        self._powers = torch.from_numpy(corpus.powers).to(device)
        self._visemes = torch.from_numpy(corpus.visemes.astype(np.int64)).to(device)
        known = {("lips" if name == "face" else name): rows for name, rows in corpus.known.items()}
        targets = {name: rows.astype(np.float32) for name, rows in corpus.targets.items() if name != "face"}
        targets["lips"] = np.concatenate([fold.all_targets(corpus) for fold in folds], 1)
        self._known = {name: torch.from_numpy(rows).to(device) for name, rows in known.items()}
        self._targets = {name: torch.from_numpy(rows).to(device) for name, rows in targets.items()}
        self._measure(corpus)

    def _measure(self, corpus: Corpus) -> None:
        """How loud each sound is, what loudness is remembered at each hop, and where somebody speaks."""
        remembered, speaks = torch.zeros(len(corpus.powers)), torch.full((len(corpus.visemes),), torch.nan)
        levels = torch.zeros(len(corpus.sounds))
        encoder = AudioEncoder()
        encoder.spectrum.copy_(self._encoder.spectrum)
        for i, sound in enumerate(corpus.sounds):
            powers = powers_of(torch.from_numpy(corpus.of(sound)).T[None])
            view, _ = encoder.against_loudness(powers, encoder.initial_state())
            loudness = 10 * powers.sum(1).clamp_min(1e-6).log10()[0]
            levels[i] = torch.quantile(loudness, 0.9)
            # The encoder's own reference, from what it took away.
            loudest = powers[0].argmax(0, keepdim=True)
            own = 10 * powers[0].gather(0, loudest).clamp_min(1e-20).log10() - view[0].gather(0, loudest)
            remembered[sound.first : sound.first + sound.hops] = own[0]
            if sound.source != "noise":
                loud = encoder.features(view)[0, -1].numpy() > LOUD * PRESENCE
                near = np.convolve(
                    np.append(loud[:1], loud), np.r_[np.zeros(PAUSE - ONSET), np.ones(PAUSE + ONSET + 1)], "same"
                )
                speaks[corpus.rows(sound)] = torch.where(torch.from_numpy(near > 0.5), 1.0, torch.nan)
        self._levels, self._remembered = levels.to(self._device), remembered.to(self._device)
        self._speaks = speaks.to(self._device)

    def for_gate(self, noises: Sequence[Powers], held: Sequence[Powers]) -> Batches:
        """Scenes for the gate, with more noises, held vowels, and only people from whom every fold may learn."""
        config = self._config
        shares = replace(config.shares, held=config.gate_held_share)
        config = replace(
            config, batch=config.gate_batch, hops=config.gate_hops, scenes=config.gate_scenes, shares=shares
        )
        corpus = self._corpus.with_sounds("noise", noises).with_sounds("held", held)
        pieces = Batches(corpus, self._folds, self._encoder, config, self._device)
        idle, chances = pieces._idle, pieces._chances * pieces._learns.amin(0)
        # Half of the time nobody speaks.
        pieces._chances = torch.where(idle, chances / chances[idle].sum(), chances / chances[~idle].sum())
        return pieces

    def __call__(self) -> Batch:
        """Draw a batch."""
        config, device, scenes = self._config, self._device, self._config.scenes
        count, hops = config.batch, config.hops
        sound = torch.multinomial(self._chances, count, True)
        idle, length = self._idle[sound], self._hops[sound]
        far = ~idle & (self._random(count) < scenes.far)
        idle = idle | far  # for who is meant, nobody speaks
        speed = torch.exp((2 * self._random(count) - 1) * config.augmentation.speed)
        begins = ~far & (self._random(count) < scenes.beginning)
        resumes, cut = begins & (self._random(count) < scenes.resumed), self._random(count) < scenes.cut
        waits = begins & (self._random(count) >= scenes.at_once)
        lead = torch.where(waits, (self._random(count) * LEAD).floor(), 0.0)
        start = self._random(count) * (length - speed * hops).clamp_min(0)
        start = torch.where(begins & ~cut, 0.0, start)
        stops = torch.where(self._random(count) < STOPPING_SHARE, (0.2 + 0.6 * self._random(count)) * hops, torch.inf)
        stop = torch.minimum(stops, lead + (length - 2 - start) / speed).floor()

        # Sounds. Hop h hears up to boundary h + 1.
        hop = torch.arange(hops, device=device)[None]
        voice = self._heard(sound, start[:, None] + speed[:, None] * (hop + 1 - lead[:, None]) - 1)
        voice = voice * ((hop >= lead[:, None]) & (hop < stop[:, None]))[:, None]
        loudest = self._between(*LOUDNESS, count)
        spoke = idle & (far | (self._random(count) < 0.5))  # somebody did, before this piece
        below = torch.where(far, self._between(*FAR_BELOW, count), self._between(5.0, 45.0, count))
        quieter = torch.where(spoke, loudest - below, self._between(-75.0, -15.0, count))
        level = torch.where(idle, quieter, loudest)
        gain = level - self._levels[sound]
        voice = voice * changes.decibels(gain)[:, None, None]
        remembered = torch.where(idle | resumes, loudest, self._remembered[self._first[sound] + start.long()] + gain)
        remembered = torch.where((begins & ~resumes) | (idle & ~spoke), QUIETEST, remembered)
        plain = self._features(voice, remembered)
        wavering = torch.where(remembered > QUIETEST, remembered + self._between(-3.0, 3.0, count), QUIETEST)
        changed = self._changed(voice, level)

        # Targets at boundaries 1 - AHEAD ... hops.
        edge = torch.arange(1 - AHEAD, hops + 1, device=device)[None].float()
        place = (start[:, None] + speed[:, None] * (edge - lead[:, None])).clamp_min(0)
        before = torch.minimum(place.floor().long(), length[:, None] - 1)
        row, weight = self._row[sound][:, None] + before, (place - before).clamp(0, 1)[..., None]
        lead, stop, idle = lead[:, None], stop[:, None], idle[:, None]
        spoken = (edge >= lead) & (edge < stop) & ~idle
        still = idle | (edge >= stop + CLOSING) | (edge < lead - 2 * ONSET)
        known = {name: rows[row] & rows[row + 1] & spoken for name, rows in self._known.items()}
        known["lips"] = known["lips"] | still
        targets = {
            name: (values[row] * (1 - weight) + values[row + 1] * weight) * spoken[..., None]
            for name, values in self._targets.items()
        }
        speaks = torch.where(spoken, self._speaks[row], torch.nan)
        nobody = idle | (edge >= stop + PAUSE) | (edge < lead - ONSET)
        return Batch(
            features=self._features(changed, wavering),
            plain=plain,
            targets=targets,
            known=known,
            visemes=torch.where(spoken, self._visemes[row], UNKNOWN),
            speaks=torch.where(nobody, 0.0, speaks),
            warm=begins[:, None] | (hop >= WARM),
            learns=self._learns[:, sound],
        )

    def _random(self, count: int) -> Float[Tensor, " B"]:
        return torch.rand(count, device=self._device)

    def _between(self, low: float, high: float, count: int) -> Float[Tensor, " B"]:
        return low + (high - low) * self._random(count)

    def _heard(self, sound: Int[Tensor, " B"], place: Float[Tensor, "B T"]) -> Float[Tensor, "B bands T"]:
        """Powers of sounds between hops."""
        last = (self._hops[sound] - 2)[:, None]
        below = torch.minimum(place.floor().clamp_min(0).long(), last)
        weight = (place - below).clamp(0, 1)[..., None]
        hop = self._first[sound][:, None] + below
        return (powers_of(self._powers[hop]) * (1 - weight) + powers_of(self._powers[hop + 1]) * weight).mT

    def _changed(self, voice: Float[Tensor, "B bands T"], level: Float[Tensor, " B"]) -> Float[Tensor, "B bands T"]:
        """Another voice through another microphone in another room, with noise behind, over a bad line."""
        how, count = self._config.augmentation, len(voice)
        factor = torch.exp(changes.uniform(-how.formants, how.formants, voice))
        voice = changes.with_formants_moved(voice, factor) * (voice.sum(1, keepdim=True) > 0)
        voice = changes.in_room(changes.with_other_colour(voice, how.tilt), how.room_share)
        noise = torch.multinomial(self._behind, count, True)
        length = self._hops[noise]
        hop = torch.arange(voice.shape[2], device=self._device)[None]
        place = torch.remainder(self._random(count)[:, None] * length[:, None] + hop, (length - 1)[:, None])
        least = torch.where(self._idle[noise], how.least_below, BABBLE_BELOW)
        below = least + (QUIET - least) * self._random(count)
        loud = torch.where(self._random(count) < how.noise_share, level - below - self._levels[noise], -200.0)
        begins = self._random(count) * voice.shape[2] * (self._random(count) < self._config.scenes.sudden)
        behind = changes.with_other_colour(self._heard(noise, place), how.tilt) * (hop >= begins[:, None])[:, None]
        everything = voice + behind * changes.decibels(loud)[:, None, None]
        everything = changes.over_the_telephone(everything, self._config.scenes.telephone)
        return changes.with_losses(everything, how.loss_share)

    def _features(
        self, powers: Float[Tensor, "B bands T"], remembered: Float[Tensor, " B"]
    ) -> Float[Tensor, "B features T"]:
        state = {"loudness": (remembered - QUIETEST).clamp_min(0)[:, None].expand(-1, MEMORY + SMOOTHING - 2)}
        return self._encoder.features(self._encoder.against_loudness(powers, state)[0])


def _chances(corpus: Corpus, shares: dict[str, float], device: str) -> Float[Tensor, " S"]:
    """Chance of each sound: its source's share, and its weight within the source."""
    totals = {source: sum(s.weight for s in corpus.sounds if s.source == source) for source in shares}
    each = [
        shares[s.source] * s.weight / totals[s.source] if shares.get(s.source) and s.weight else 0.0
        for s in corpus.sounds
    ]
    return torch.tensor(each, device=device)
