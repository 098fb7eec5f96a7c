"""Another thread of the process computes in Python all the time, and keeps the interpreter's lock when it can."""

import asyncio
import sys
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest
from fakes import ListSink, ListSource, LoudnessAnimator, voice

from realtime.clock import MonotonicClock
from realtime.loop import run

RETAKES = 10
"""How often a frame of the fake below gives the lock away and takes it again; decoders, kernels and engines do."""
FRAMES = 12


@contextmanager
def busy_thread():
    """A thread that never waits."""
    over = threading.Event()

    def compute():
        while not over.is_set():
            pass

    thread = threading.Thread(target=compute)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Yielding(LoudnessAnimator):
    """Gives the lock away as the real one does, and notes how long it takes to get it back."""

    def __init__(self):
        super().__init__()
        self.waited = []

    def step(self, samples, state):
        for _ in range(RETAKES):
            before = time.perf_counter()
            time.sleep(0)
            self.waited.append(time.perf_counter() - before)
        return super().step(samples, state)


def waited(live):
    """Seconds for which frames waited for the lock, each time that they had to take it."""
    animator = Yielding()
    source = ListSource(voice(FRAMES / 25), clock=MonotonicClock() if live else None)
    with busy_thread():
        asyncio.run(run(source, animator, [ListSink()], live=live))
    return np.array(animator.waited)


@pytest.fixture(autouse=True)
def switch_interval():
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.005)  # Python's own
    yield
    sys.setswitchinterval(before)


def test_a_busy_thread_gives_way_to_a_live_stream():
    for _ in range(5):
        otherwise = np.median(waited(live=False))
        if otherwise > 0.004:
            break
    else:
        pytest.skip("other work keeps the busy thread from being in the way: this would prove nothing")
    # A machine with other work lets threads wait for a processor as well, but not each time.
    assert np.percentile(waited(live=True), 25) < otherwise / 4


def test_a_file_changes_nothing_for_the_rest_of_the_process():
    asyncio.run(run(ListSource(voice(0.1)), LoudnessAnimator(), [ListSink()], live=False))
    assert sys.getswitchinterval() == pytest.approx(0.005)
