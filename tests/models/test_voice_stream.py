"""A stream of sound gives the same expressions however it is cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.voice_stream import HOP, VoiceState, VoiceStream


class RunningSum:
    """A recurrent stand-in for the network: the running sum of the samples, hop by hop, and the hop's first sample."""

    def __call__(self, feed):
        hops = feed["samples"].reshape(-1, HOP)
        sums = feed["state.sum"] + np.cumsum(hops.sum(axis=1), dtype=np.float32)
        return {"expression": np.stack([sums, hops[:, 0]], axis=1), "next_state.sum": sums[-1:]}

    def initial_state(self):
        return {"state.sum": np.zeros(1, np.float32)}


def stream() -> VoiceStream:
    return VoiceStream(RunningSum(), 80)


def push(pieces: list[np.ndarray]) -> VoiceState:
    voice = stream()
    state = voice.initial_state()
    for piece in pieces:
        state = voice.push(piece, state)
    return state


@given(st.lists(st.integers(0, 700), max_size=20))
def test_streamed_equals_offline(cuts: list[int]):
    samples = np.arange(5000, dtype=np.float32) % 7
    ends = np.minimum(np.cumsum(cuts, dtype=int), len(samples))
    streamed, offline = push(np.split(samples, ends)), push([samples])
    assert streamed.hops == offline.hops
    np.testing.assert_array_equal(streamed.pending, offline.pending)
    np.testing.assert_array_equal(streamed.rows, offline.rows)


def test_expression_lies_between_its_hops():
    voice = stream()
    samples = np.repeat(np.arange(20, dtype=np.float32), HOP)
    state = voice.push(samples, voice.initial_state())
    # Hop h describes the face at 160·(h+1) - 1280, and its second coefficient is h.
    assert voice.expression_at(HOP * 11 - 1280, state)[1] == 10
    assert voice.expression_at(HOP * 11 - 1280 + 40, state)[1] == pytest.approx(10.25)
    assert voice.expression_at(-5000, state)[1] == 0
    assert voice.expression_at(5000, state)[1] == 19


def test_nothing_heard_is_said():
    voice = stream()
    with pytest.raises(ValueError, match="push at least 160"):
        voice.expression_at(0, voice.push(np.zeros(159, np.float32), voice.initial_state()))


def test_only_the_dial_is_offered():
    with pytest.raises(ValueError, match="look_ahead_ms is 50"):
        VoiceStream(RunningSum(), 50)
