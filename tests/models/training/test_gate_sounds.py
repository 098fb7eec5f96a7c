"""Sounds for the gate: as long as asked, never twice the same; pieces that show what the gate must tell apart."""

import numpy as np
import pytest
import torch

from models.audio_encoder import BANDS, SAMPLE_RATE, AudioEncoder
from models.training.expression_batches import ONSET, Batches, at
from models.training.expression_config import Augmentation, Config, Scenes
from models.training.folds import Fold
from models.training.gate_sounds import KINDS, anything, band, mixture
from models.training.held_voices import held_voice
from models.training.lip_basis import Basis
from models.training.train_gate import sounds
from models.training.voice_corpus import CorpusWriter


@pytest.mark.parametrize(
    "kind", [*dict.fromkeys(KINDS), band, mixture, anything, held_voice], ids=lambda kind: kind.__name__
)
@pytest.mark.parametrize("seconds", [2.0, 3.3])
def test_sounds_are_finite_loud_and_repeatable(kind, seconds):
    count = int(seconds * SAMPLE_RATE)
    once, again, other = (kind(count, np.random.default_rng(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(once, again)
    assert len(once) == count
    assert np.isfinite(once).all()
    assert once.std() > 0
    assert not np.array_equal(once, other)


def test_noises_differ():
    found = sounds(anything, 6, 0)
    assert len({noise.tobytes() for noise in found}) == 6
    assert all(noise.shape == (600, BANDS) for noise in found)
    assert all((noise > 0).any() for noise in found)


LOUD = np.full((900, BANDS), 160, np.uint8)


def pieces(scenes, kind):
    """Pieces of a steady sound from the voices or the noises, unchanged."""
    writer = CorpusWriter()
    writer.add(("v", "v", "voices", 1.0 if kind == "voices" else 1e-9), [LOUD], {})
    writer.add(("n", "nobody", "noise", 1.0 if kind == "noise" else 1e-9), [LOUD], {})
    basis = Basis(np.zeros((48, 1)), np.zeros((1, 48)), np.ones(1), np.zeros(1), np.ones(1), 1.0)
    unchanged = Augmentation(0.0, 0.0, 0.0, 0.0, 0.0, 5.0, 0.0)
    config = Config(gate_batch=64, gate_hops=200, augmentation=unchanged, gate_scenes=scenes)
    torch.manual_seed(0)
    batches = Batches(writer.corpus(), [Fold(frozenset(), basis)], AudioEncoder(), config, "cpu")
    return batches.for_gate([LOUD[:600]], [LOUD[:600]])()


def test_nobody_means_the_voices_in_the_background():
    near, far = (pieces(Scenes(far=share), "voices") for share in (0.0, 1.0))
    voices = (near.speaks == 1).any(1)
    assert 0.3 < voices.float().mean() < 0.7  # the others are noises
    assert not (far.speaks == 1).any()
    loudness = [batch.features[voices][:, :BANDS].mean((1, 2)).median() for batch in (near, far)]
    assert loudness[1] < loudness[0] - 0.5


def test_pieces_begin_with_silence_after_which_somebody_speaks():
    batch = pieces(Scenes(beginning=1.0, cut=0.5), "voices")
    spoken = (batch.speaks == 1).any(1)
    heard = (batch.features[spoken].amax(1) > 0)[:, :-1]
    speaks = at(batch.speaks[spoken], 0)[:, :-1] == 1
    first = heard.float().argmax(1)
    assert first.min() < 20
    assert first.max() > 80
    assert (speaks.float().argmax(1) - first).abs().max() <= ONSET


def test_who_resumes_is_as_loud_as_before():
    """At a stream's beginning the first hop passes for loud; after speech one knows what loud is."""
    new, again = (pieces(Scenes(beginning=1.0, resumed=share), "voices") for share in (0.0, 1.0))
    voices = (new.speaks == 1).any(1)
    first = (new.features[voices].amax(1) > 0).float().argmax(1)
    louder = [b.features[voices][torch.arange(len(first)), :BANDS, first].mean(1) for b in (new, again)]
    assert (louder[0] > louder[1]).float().mean() > 0.9
