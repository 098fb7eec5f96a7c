"""At an F or V the lower lip comes to the upper teeth; whether it does is counted."""

from dataclasses import replace

import numpy as np

from models.evaluate.voice_scores import Judged, Ruler
from models.face_model import FaceModel
from models.training.expression_data import Clip, Recording
from models.training.linear_path import shifted
from models.training.visemes import UNKNOWN, viseme_of


def test_the_lower_lip_reaches_the_teeth_at_an_f():
    ruler = Ruler.of(FaceModel.tracked())
    rows = 1001
    raised = (np.arange(rows) % 100) < 20
    along = ruler.lower / (ruler.lower @ ruler.lower)
    wander = 0.01 * np.random.default_rng(0).standard_normal(rows)
    face = ((np.where(raised, 0.3, 0.0) + wander)[:, None] * along).astype(np.float32)
    labels = np.where(raised, viseme_of("F"), viseme_of("AA"))
    clip = Clip(Recording("a", "a", 0.0), np.zeros(160_000, np.float32), face, np.ones(rows, np.bool_), labels)
    judged, said = Judged(clip, ruler), shifted(face, 8)
    assert judged.agreement(said, 8).teeth == judged.real_teeth() == 1.0
    assert judged.agreement(-said, 8).teeth == 0.0
    assert np.isnan(Judged(replace(clip, visemes=np.full(rows, UNKNOWN)), ruler).real_teeth())
