"""Another thread of the process computes in Python all the time, and keeps the interpreter's lock when it can."""

import asyncio
import sys
import threading
import time

import numpy as np
import pytest
from fakes import ListSink, ListSource, LoudnessAnimator, voice

from realtime.clock import MonotonicClock
from realtime.loop import SWITCH_S, run

RETAKES = 10
"""How often a frame of the fake below gives the lock away and takes it again; decoders, kernels and engines do."""
FRAMES = 12

pytestmark = pytest.mark.skipif(not hasattr(time, "pthread_getcpuclockid"), reason="no clock of another thread's time")


class Busy:
    """A thread that never waits."""

    def __enter__(self):
        self._over = False
        self._thread = threading.Thread(target=self._compute)
        self._thread.start()
        self._clock = time.pthread_getcpuclockid(self._thread.ident)
        return self

    def __exit__(self, *_):
        self._over = True
        self._thread.join()

    def _compute(self):
        number = 0
        while not self._over:
            number += 1

    def computed(self):
        """Processor seconds so far: what others take from this machine is not in them."""
        return time.clock_gettime(self._clock)


class Yielding(LoudnessAnimator):
    """Gives the lock away as the real one does, and notes how long the busy thread had it meanwhile."""

    def __init__(self, busy):
        super().__init__()
        self.kept = []
        self._busy = busy

    def step(self, samples, state):
        for _ in range(RETAKES):
            before = self._busy.computed()
            time.sleep(0)
            self.kept.append(self._busy.computed() - before)
        return super().step(samples, state)


def kept(live):
    """Seconds for which the busy thread keeps the lock from a frame, median over all that a frame has to take it."""
    with Busy() as busy:
        animator = Yielding(busy)
        source = ListSource(voice(FRAMES / 25), clock=MonotonicClock() if live else None)
        asyncio.run(run(source, animator, [ListSink()], live=live))
    return np.median(animator.kept)


@pytest.fixture(autouse=True)
def switch_interval():
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.005)  # Python's own
    yield
    sys.setswitchinterval(before)


def test_a_busy_thread_gives_way_to_a_live_stream():
    otherwise = kept(live=False)
    assert otherwise > 10 * SWITCH_S, "the busy thread was not in the way: this proves nothing"
    assert kept(live=True) < otherwise / 4


def test_a_file_changes_nothing_for_the_rest_of_the_process():
    asyncio.run(run(ListSource(voice(0.1)), LoudnessAnimator(), [ListSink()], live=False))
    assert sys.getswitchinterval() == pytest.approx(0.005)
