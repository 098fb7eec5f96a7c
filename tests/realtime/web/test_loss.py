"""A voice over a bad network, through the resequencer and the whole loop, in virtual time."""

import random

import numpy as np
import pytest
from fakes import ListSink, LoudnessAnimator
from virtual_time import VirtualClock, run_virtually

from realtime.loop import run
from realtime.media import AudioChunk
from realtime.web.resequencer import CYCLE, Resequencer

SECONDS = 30
PACKETS = [((number + 1) * 0.01, number) for number in range(100 * SECONDS)]
"""When packets of 10 ms come, and their numbers."""


class Network:
    """A source: packets as they come."""

    def __init__(self, arrivals, clock):
        self.line = Resequencer()
        self._arrivals = sorted(arrivals)
        self._clock = clock

    async def chunks(self):
        for when, number in self._arrivals:
            await self._clock.sleep_until(when)
            for ready in self.line.push(number % CYCLE, number):
                yield AudioChunk(np.full(160, 0.1, np.float32), 160 * ready)

    def close(self):
        pass


def delays(arrivals):
    """Of each frame after its last sample, s; the longest time without a new picture, s; samples that were missed."""

    async def main():
        clock = VirtualClock()
        sink, network = ListSink(clock), Network(arrivals, clock)
        animator = LoudnessAnimator(25, look_ahead=640, cost=lambda number: 0.015)
        telemetry = await run(network, animator, [sink], live=True, clock=clock)
        return sink, telemetry.counted("samples_filled_with_silence")

    sink, silence = run_virtually(main())
    ends = (np.array(sink.numbers) + 1) / 25
    return ends, sink.times - ends, np.diff(sink.times).max(), silence


NORMAL = delays(PACKETS)[1].max()


def test_one_lost_in_200_costs_no_delay():
    lost = [packet for packet in PACKETS if packet[1] % 200 != 100]
    _, delay, longest, silence = delays(lost)
    assert delay.max() == pytest.approx(NORMAL, abs=1e-6)
    assert longest < 0.05
    assert silence == 160 * (len(PACKETS) - len(lost))


@pytest.mark.parametrize("in_order", [True, False])
def test_60_ms_of_jitter_cost_60_ms_and_hardly_a_packet(in_order):
    chance, arrivals, latest = random.Random(1), [], 0.0
    for when, number in PACKETS:
        latest = max(latest, when + chance.uniform(0, 0.06)) if in_order else when + chance.uniform(0, 0.06)
        arrivals.append((latest, number))
    _, delay, longest, silence = delays(arrivals)
    assert delay.max() < NORMAL + 0.065
    assert longest < 0.1
    assert silence <= (0 if in_order else 160 * len(PACKETS) * 0.005)


@pytest.mark.parametrize("seed", range(5))
def test_after_a_bad_spell_the_delay_is_normal_within_a_second(seed):
    chance = random.Random(seed)
    spell = [(when + chance.uniform(0, 0.06) * (10 <= when < 12), number) for when, number in PACKETS]
    ends, delay, longest, _ = delays(spell)
    assert delay[ends < 9.9].max() < NORMAL + 0.001
    assert delay[(ends > 10) & (ends < 12)].max() > NORMAL + 0.03
    assert delay[ends > 13].max() < NORMAL + 0.01
    assert delay[ends > 14].max() < NORMAL + 0.003
    assert longest < 0.2
