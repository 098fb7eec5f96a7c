import asyncio

import numpy as np
from fakes import voice

from realtime.bench.capture import BLOCK, PacedCapture
from realtime.clock import MonotonicClock
from realtime.media import SAMPLE_RATE


async def listen(source, clock, most=10_000):
    came = []
    async for chunk in source.chunks():
        came.append((chunk, clock.now()))
        if len(came) == most:
            source.close()
    return came


def test_blocks_come_when_they_have_sounded_and_never_before():
    clock, sound = MonotonicClock(), voice(0.2)
    source = PacedCapture(sound, clock)
    came = asyncio.run(listen(source, clock))
    assert np.array_equal(np.concatenate([chunk.samples for chunk, _ in came]), sound)
    assert all(len(chunk.samples) == BLOCK for chunk, _ in came)
    late = [at - (source.origin + chunk.end / SAMPLE_RATE) for chunk, at in came]
    assert min(late) >= 0


def test_closing_ends_the_sound_card():
    clock = MonotonicClock()
    assert len(asyncio.run(listen(PacedCapture(voice(60), clock), clock, most=2))) in (2, 3)
