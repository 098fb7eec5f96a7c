"""Pieces of the corpus: sound and face on one clock whatever the speed; rest where nobody speaks; nobody meets whom
they must not; what costs and what does not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.audio_encoder import BANDS, AudioEncoder
from models.expression_net import DIAL
from models.face_model import FaceModel
from models.training.expression_batches import AHEAD, Batches, at
from models.training.expression_config import Augmentation, Config, Shares
from models.training.expression_losses import Lips, contact_loss, lip_loss, same_mouth_loss, viseme_loss
from models.training.folds import Fold
from models.training.linear_path import DELAYS
from models.training.lip_basis import Basis
from models.training.lip_metric import lower_lip
from models.training.power_changes import (
    in_room,
    over_the_telephone,
    with_formants_moved,
    with_losses,
    with_other_colour,
)
from models.training.visemes import GROUPS, UNKNOWN, viseme_of
from models.training.voice_corpus import Corpus, CorpusWriter, powers_of, stored_powers

HOPS, R = 1200, 3
BEAT = 60
"""Hops between two loud moments."""


def fold(*left_out):
    rng = np.random.default_rng(0)
    encode, decode = rng.standard_normal((48, R)), rng.standard_normal((R, 48))
    return Fold(frozenset(left_out), Basis(encode, decode, np.ones(R), np.zeros(R), np.ones(R) / R, 1.0))


@pytest.fixture(scope="module")
def corpus():
    """A voice that beats, and a face that moves with each beat; the same beats without a face; noise."""
    writer = CorpusWriter()
    loud = np.full((HOPS, BANDS), 60, np.uint8)
    loud[::BEAT] = 160
    face = np.zeros((HOPS + 1, 48))
    face[1::BEAT] = 1.0  # hop h ends at boundary h + 1
    visemes = np.where(face[:, 0] > 0, viseme_of("P"), UNKNOWN)
    writer.add(("a", "a", "people", 1.0), [loud], {"face": (face, np.ones(HOPS + 1, np.bool_))}, visemes)
    writer.add(("v", "v", "voices", 1.0), [loud, loud], {})
    writer.add(("n", "nobody", "noise", 1.0), [np.full((HOPS, BANDS), 130, np.uint8)], {})
    return writer.corpus()


def batches(corpus, shares, folds=(), **changes):
    torch.manual_seed(0)
    augmentation = replace(Augmentation(), **changes)
    config = Config(batch=12, hops=200, shares=shares, augmentation=augmentation)
    return Batches(corpus, folds or [fold()], AudioEncoder(), config, "cpu")


PEOPLE = Shares(1.0, 0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("speed", [0.0, 0.3])
def test_sound_and_face_keep_one_clock_at_any_speed(corpus, speed):
    batch = batches(corpus, PEOPLE, speed=speed)()
    face = at(batch.targets["lips"][..., 0].abs(), 0)
    for heard, seen, known in zip(batch.plain[:, :-1].mean(1), face, at(batch.known["lips"], 0), strict=True):
        spoken = known & (heard > heard.min())
        for peak in torch.nonzero((seen > 0.6 * seen.max()) & spoken)[:, 0]:
            near = slice(max(int(peak) - 10, 0), int(peak) + 11)
            assert abs(int(heard[near].argmax()) + near.start - int(peak)) <= 1


def test_a_look_ahead_shows_its_own_past():
    values = torch.arange(1 - AHEAD, 101)[None]
    for delay in DELAYS:
        assert torch.equal(at(values, delay)[0], torch.arange(100) + 1 - delay)


def test_where_nobody_speaks_the_mouth_rests(corpus):
    batch = batches(corpus, Shares(0.0, 0.0, 0.0, 0.0, 1.0))()
    assert batch.known["lips"].all()
    assert not batch.targets["lips"].any()
    assert not batch.speaks.any()
    assert (batch.visemes == UNKNOWN).all()
    assert batch.features[:, -1].amax() > 1  # though something is heard


def test_voices_have_no_face_but_may_stop(corpus):
    batch = batches(corpus, Shares(0.0, 0.0, 1.0, 0.0, 0.0))()
    assert not batch.targets["lips"].any()
    assert (batch.speaks[~batch.known["lips"]] != 0).any()


def test_nobody_learns_from_people_left_out(corpus):
    batch = batches(corpus, Shares(0.5, 0.0, 0.5, 0.0, 0.0), [fold(), fold("a")])()
    assert batch.learns[0].all()
    assert not batch.learns[1].all()
    lips = Lips.of([fold(), fold("a")], torch.from_numpy(lower_lip(FaceModel.tracked())), "cpu")
    said = torch.randn(2, 1, len(DIAL), R, 12, 200, requires_grad=True)
    lip_loss(said, batch, lips, Config()).backward()
    out = batch.learns[1] == 0
    assert said.grad[0][..., out, :].any()
    assert not said.grad[1][..., out, :].any()


def test_what_is_right_costs_nothing(corpus):
    batch = batches(corpus, PEOPLE)()
    lips = Lips.of([fold()], torch.from_numpy(lower_lip(FaceModel.tracked())), "cpu")
    right = torch.stack([at(batch.targets["lips"], d) for d in DELAYS]).permute(0, 3, 1, 2)[None, None]
    assert float(lip_loss(right, batch, lips, Config())) == pytest.approx(0, abs=1e-9)
    assert float(lip_loss(right + 0.1, batch, lips, Config())) > 0.01


def test_the_running_mean_is_asked_about_the_same_moment(corpus):
    batch = batches(corpus, Shares(0.0, 0.0, 1.0, 0.0, 0.0))()
    lips = Lips.of([fold()], torch.from_numpy(lower_lip(FaceModel.tracked())), "cpu")
    moment = torch.arange(1 - AHEAD, 201).float()[None].expand(12, -1)
    said = torch.stack([at(moment, d) for d in DELAYS])[None, None, :, None].expand(1, 1, -1, R, -1, -1)
    meant = at(moment, AHEAD)[None, None].expand(1, R, -1, -1)
    assert float(same_mouth_loss(said, meant, batch, lips, 0.5)) == pytest.approx(0, abs=1e-6)
    assert float(same_mouth_loss(said + 1, meant, batch, lips, 0.5)) > 0.1


def test_lips_apart_cost_at_a_p_and_nowhere_else(corpus):
    batch = batches(corpus, PEOPLE, speed=0.0)()
    lips = Lips.of([fold()], torch.from_numpy(lower_lip(FaceModel.tracked())), "cpu")
    batch.visemes[:, :] = UNKNOWN
    said = torch.full((1, 1, len(DIAL), R, 12, 200), 1.0)
    assert float(contact_loss(said, batch, lips)) == 0
    batch.visemes[:, 100:110] = viseme_of("P")
    assert float(contact_loss(said, batch, lips)) > 0.1
    assert float(contact_loss(-said, batch, lips)) == 0


def test_visemes_that_are_sure_cost_little(corpus):
    batch = batches(corpus, PEOPLE)()
    labels = torch.stack([at(batch.visemes, d) for d in DELAYS]).clamp_min(0)
    sure = 20.0 * torch.nn.functional.one_hot(labels, len(GROUPS)).permute(0, 3, 1, 2)[None, None].float()
    assert float(viseme_loss(sure, batch)) < 1e-3
    assert float(viseme_loss(0 * sure, batch)) == pytest.approx(np.log(len(GROUPS)), rel=1e-3)


def test_changed_sounds_stay_finite_and_silence_stays_silent():
    torch.manual_seed(0)
    powers = torch.rand(5, BANDS, 80) * 1e-3
    factor = torch.full((5, 1, 1), 1.1)
    for worse in (
        with_formants_moved(powers, factor),
        with_other_colour(powers, 6.0),
        in_room(powers, 1.0),
        over_the_telephone(powers, 1.0),
        with_losses(powers, 1.0),
    ):
        assert worse.isfinite().all()
        assert (worse >= 0).all()
    assert not in_room(0 * powers, 1.0).any()
    assert (with_losses(powers, 1.0) == 0).any()


def test_a_telephone_keeps_the_middle():
    torch.manual_seed(0)
    powers = torch.full((40, BANDS, 3), 1e-3)
    narrow = over_the_telephone(powers, 1.0)
    assert torch.equal(narrow[:, 5:18], powers[:, 5:18])
    assert (narrow[:, -1] < 1e-5).float().mean() > 0.7
    assert torch.equal(over_the_telephone(powers, 0.0), powers)


def test_formants_move_up():
    powers = torch.full((1, BANDS, 4), 1e-8)
    powers[:, 10] = 1e-3
    moved = with_formants_moved(powers, torch.full((1, 1, 1), 1.25))
    assert moved[0, :, 0].argmax() > 10
    torch.testing.assert_close(with_formants_moved(powers, torch.ones(1, 1, 1)), powers, rtol=0.01, atol=1e-9)


def test_a_corpus_comes_back_from_its_file(corpus, tmp_path):
    corpus.save(tmp_path / "c.npz")
    again = Corpus.load(tmp_path / "c.npz")
    assert again.sounds == corpus.sounds
    assert [path.name for path in tmp_path.iterdir()] == ["c.npz"]
    np.testing.assert_array_equal(again.powers, corpus.powers)
    np.testing.assert_array_equal(again.targets["face"], corpus.targets["face"])
    np.testing.assert_array_equal(again.known["face"], corpus.known["face"])


def test_stored_powers_are_the_encoders_within_half_a_step():
    sound = 0.1 * np.random.default_rng(0).standard_normal(16_000).astype(np.float32)
    encoder = AudioEncoder()
    stored = powers_of(torch.from_numpy(stored_powers(sound, encoder)).T)
    true = encoder.powers(torch.from_numpy(sound)[None], encoder.initial_state())[0][0]
    assert (10 * (stored / true).log10()).abs().max() < 0.26
    assert not stored_powers(np.zeros(1600, np.float32), encoder).any()
