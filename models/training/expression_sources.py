"""The people whose recordings teach the voice network, and how their sound lies against their picture.

`mouth_late` was found by a predictor trained on the other people and read with shifted sound, iterated until it stood
still; a scan within one clip would only learn the shift.
"""

from __future__ import annotations

from models.training.expression_data import Recording

GRID = (
    "bbaf2n", "bbas2p", "bbbf7s", "bbbs5s", "bbifzp", "bbir9a", "bbwgzn", "bgaa6n", "bgaa9a", "bgan4n", "bgan7a",
    "bgbb1s", "bgbbzn", "bgbn8n", "bgbozp", "bgia2n", "bgia5a", "bwbt8p", "lgbs8p", "lwbs1s", "pbiizn", "pbivzp",
    "pbwj5a", "pbwxzn", "pgak5a", "pgbe4p", "prap7a", "prbqzp", "pric5a", "prwq5a", "pwbd9a", "pwbq7a", "pwip9a",
    "pwwrzp", "sbbn9a", "sbig4n", "sbit2n", "sbwh6n", "sbwu4n", "sgai6n",
)  # fmt: skip
"""Short sentences of one speaker of the GRID corpus."""

RECORDINGS = (
    Recording("Obama_clip1_synced", "obama", 0.052),
    Recording("Obama_clip2_synced", "obama", -0.016),
    Recording("Obama_clip3_synced", "obama", -0.066),
    Recording("edtalk_uncrop_Obama", "obama", -0.221),
    Recording("feifeili_clip1", "feifeili", -0.021),
    Recording("feifeili_clip2_short", "feifeili", 0.004),
    Recording("feifeili_clip3", "feifeili", 0.022),
    Recording("latentsync_demo2", "latentsync_demo2", 0.021),
    Recording("latentsync_demo3", "latentsync_demo3", -0.056),
    Recording("dfrf_cnn2_25fps", "dfrf_cnn2", -0.008),
    Recording("dfrf_french", "dfrf_french", 0.016),
    Recording("edtalk_pose_source2", "edtalk_pose", -0.087),
    Recording("infinitetalk_ref_video", "infinitetalk", 0.087),
    Recording("RD_Radio8", "radio8", 0.032),
    Recording("RD_Radio13", "radio13", -0.027),
    Recording("RD_Radio18", "radio18", 0.124),
    Recording("RD_Radio21", "radio21", 0.108),
    Recording("RD_Radio51", "radio51", 0.129),
    Recording("aniportrait_pose_ref_video", "aniportrait", -0.097),
    Recording("videoretalking_face1", "retalking1", 0.097),
    Recording("videoretalking_face2", "retalking2", -0.008),
    Recording("videoretalking_face4", "retalking4", 0.059),
    Recording("videoretalking_face5", "retalking5", 0.076),
    *(Recording(stem, "grid_s1", 0.045) for stem in GRID),
)

KEPT_OUT = (
    Recording("andrew_clip_1", "andrew", 0.0),
    Recording("andrew_clip_2", "andrew", 0.0),
)
"""A person whom the network never hears or sees: what it does for strangers, and what adaptation adds, shows on him."""
