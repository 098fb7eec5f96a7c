import asyncio
from itertools import pairwise

import numpy as np
import pytest
from fakes import ListSink, LoudnessAnimator, voice
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_time import VirtualClock, run_virtually

from realtime.errors import InputError
from realtime.loop import run
from realtime.sources.pcm_socket import BACKLOG, MOST_WAITING_S, PcmSource
from realtime.telemetry import Telemetry


def pcm(samples):
    return (samples * 32767).astype("<i2").tobytes()


def listen(act, seconds):
    """What is heard, with its time, while `act` uses the source."""

    async def main():
        source = PcmSource(VirtualClock())
        heard = []

        async def collect():
            async for chunk in source.chunks():
                heard.append((VirtualClock().now(), chunk))

        task = asyncio.create_task(collect())
        await act(source)
        await VirtualClock().sleep_until(seconds)
        source.close()
        await task
        return heard

    return run_virtually(main())


@settings(max_examples=20)
@given(st.lists(st.integers(0, 3000), max_size=8))
def test_a_burst_cut_anywhere_is_heard_in_real_time(cuts):
    spoken = voice(0.5)

    async def act(source):
        data = pcm(spoken)
        places = [0, *sorted(cuts), len(data)]
        for begin, end in pairwise(places):
            source.push_bytes(data[begin:end])

    heard = listen(act, 0.8)
    assert [chunk.start for _, chunk in heard] == [160 * number for number in range(len(heard))]
    np.testing.assert_allclose([moment for moment, _ in heard], 0.01 * np.arange(1, len(heard) + 1), atol=1e-6)
    sound = np.concatenate([chunk.samples for _, chunk in heard])
    np.testing.assert_allclose(sound[: len(spoken)], spoken, atol=1e-4)
    assert not sound[len(spoken) :].any()


def test_a_flush_is_told_at_once_and_what_waited_is_gone():
    async def act(source):
        source.push_bytes(pcm(np.full(16_000, 0.5)) + b"\x01")  # half a sample goes too
        await VirtualClock().sleep_until(0.203)
        source.flush()
        source.push_bytes(pcm(np.full(160, 0.25)))

    heard = listen(act, 0.4)
    moment, told = next((moment, chunk) for moment, chunk in heard if chunk.generation == 1)
    assert moment == pytest.approx(0.203)
    assert len(told.samples) == 0
    after = np.concatenate([chunk.samples for _, chunk in heard if chunk.generation == 1])
    np.testing.assert_allclose(after[:160], 0.25, atol=1e-4)
    assert not after[160:].any()


def test_through_the_loop_the_face_rests_within_60_ms():
    async def main():
        clock = VirtualClock()
        source, sink, telemetry = PcmSource(clock), ListSink(clock), Telemetry(clock)
        animator = LoudnessAnimator(25, look_ahead=640, cost=lambda number: 0.02)
        stream = asyncio.create_task(run(source, animator, [sink], live=True, clock=clock, telemetry=telemetry))
        for number in range(40):
            source.push_bytes(pcm(np.full(16_000, 0.5)))
            await asyncio.sleep(0.7 + number * 0.0013)
            source.flush()
            await asyncio.sleep(0.2)
        source.close()
        await stream
        return telemetry.report()["stages"]["flush"]

    flush = run_virtually(main())
    assert flush["count"] == 40
    assert flush["max_ms"] < 60


def test_what_waits_is_bounded_and_refused_with_a_sentence():
    async def act(source):
        source.push_bytes(bytes(2 * 16_000 * MOST_WAITING_S))
        with pytest.raises(InputError, match="more slowly"):
            source.push_bytes(bytes(2))
        assert source.waiting_s == MOST_WAITING_S

    listen(act, 0.1)


def test_a_loop_that_does_not_listen_costs_sound_and_the_gap_shows():
    async def main():
        source = PcmSource(VirtualClock())
        chunks = source.chunks()
        await anext(chunks)
        await asyncio.sleep(1.005)
        assert (await anext(chunks)).start == 160 * (101 - BACKLOG)
        source.close()
        await chunks.aclose()
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1

    run_virtually(main())
