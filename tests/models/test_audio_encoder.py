"""Features: the gain of the microphone does not count, silence is zero, bad samples are harmless."""

import numpy as np
import pytest
import torch

from models.audio_encoder import BANDS, FEATURES, HOP, PRESENCE, SAMPLE_RATE, WINDOW, AudioEncoder, mel_filters


@pytest.fixture(scope="module")
def encoder():
    return AudioEncoder().eval()


def speech(seconds=3.0):
    rng = np.random.default_rng(1)
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    buzz = sum(np.sin(2 * np.pi * 110 * k * time) / k for k in range(1, 40))
    loudness = 0.1 * (1 + np.sin(2 * np.pi * 3 * time))
    return torch.tensor((loudness * buzz * 0.5 + 1e-4 * rng.standard_normal(len(time)))[None], dtype=torch.float32)


def features(encoder, samples):
    return encoder(samples, encoder.initial_state())[0]


@pytest.mark.parametrize("decibels", [-30, -20, -10, 3])
def test_gain_does_not_count(encoder, decibels):
    plain = features(encoder, speech())
    quiet = features(encoder, speech() * 10 ** (decibels / 20))
    started = 15  # hops until the loudness of the stream is known
    torch.testing.assert_close(quiet[..., started:], plain[..., started:], rtol=0, atol=1e-3)


def test_silence_is_zero(encoder):
    assert not features(encoder, torch.zeros(1, 50 * HOP)).any()


def test_constant_offset_is_not_heard(encoder):
    assert not features(encoder, torch.full((1, 100 * HOP), 0.1))[:, :, 3:].any()


def test_presence_follows_speech(encoder):
    presence = features(encoder, speech())[0, -1]
    assert presence.max() > 0.95 * PRESENCE
    assert presence.min() >= 0


def test_one_column_per_hop(encoder):
    assert features(encoder, speech(1.0)).shape == (1, FEATURES, 100)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), 1e30])
def test_bad_samples_leave_no_trace_after_the_memory_of_loudness(encoder, bad):
    samples = speech()
    samples[0, 1000:1010] = bad
    _, state = encoder(samples, encoder.initial_state())
    assert all(torch.isfinite(memory).all() for memory in state.values())


def test_a_sine_at_full_scale_has_half_its_power():
    encoder = AudioEncoder()
    time = torch.arange(40 * HOP) / SAMPLE_RATE
    _, state = encoder(torch.sin(2 * torch.pi * 1000 * time)[None], encoder.initial_state())
    # Mean square 1/2 is -3 dBFS; the Hann window spreads it over three bins and the triangles weigh them.
    loudness = float(state["loudness"][0, -1]) - 60
    assert loudness == pytest.approx(-3.0, abs=3.0)


def test_filters_cover_the_speech_band():
    filters = mel_filters()
    assert filters.shape == (201, BANDS)
    assert (filters.sum(0) > 0).all()
    hertz = np.arange(201) * SAMPLE_RATE / 400
    assert (filters[(hertz > 150) & (hertz < 7200)].sum(1) > 0.5).all()


def test_powers_are_those_of_the_fourier_transform(encoder):
    sound = speech(0.5)
    powers, _ = encoder.powers(sound, encoder.initial_state())
    padded = np.pad(sound[0].double().numpy(), (WINDOW - HOP, 0))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(WINDOW) + 0.5) / WINDOW)
    spectrum = 2 * np.abs(np.fft.rfft(frames * window / window.sum())) ** 2
    np.testing.assert_allclose(powers[0].T, spectrum @ mel_filters(), rtol=1e-4, atol=1e-12)
