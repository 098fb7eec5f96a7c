import asyncio

import numpy as np
import pytest
from fakes import FlushedSource, ListSink, ListSource, LoudnessAnimator, voice
from virtual_time import VirtualClock, run_virtually

from realtime.errors import InputError
from realtime.loop import run
from realtime.sources.mute import MuteSwitch
from realtime.telemetry import Telemetry


def perform(act, source, cost=0.0):
    """Animate a source while `act` uses its switch; returns the sink and the telemetry."""

    async def main():
        clock = VirtualClock()
        telemetry, sink = Telemetry(clock), ListSink(clock)
        switch = MuteSwitch(source(clock), telemetry)
        animator = LoudnessAnimator(25, look_ahead=1280, cost=lambda number: cost)
        stream = asyncio.create_task(run(switch, animator, [sink], live=True, clock=clock, telemetry=telemetry))
        await act(switch)
        await stream
        assert len(asyncio.all_tasks()) == 1
        return sink, telemetry

    return run_virtually(main())


def loud(seconds, block=160):
    return lambda clock: ListSource(np.full(round(seconds * 16_000), 0.5), block, clock)


@pytest.mark.parametrize("block", [160, 320], ids=["10 ms", "20 ms"])
def test_the_face_rests_within_60_ms_and_no_sound_of_before_follows(block):
    moments = [0.7 + 0.5137 * number for number in range(40)]

    async def act(switch):
        for moment in moments:
            await VirtualClock().sleep_until(moment)
            switch.mute(True)
            await VirtualClock().sleep_until(moment + 0.3)
            switch.mute(False)

    sink, telemetry = perform(act, loud(22, block), cost=0.025)
    flush = telemetry.report()["stages"]["flush"]
    assert flush["count"] == len(moments)
    assert flush["max_ms"] < 60
    for moment in moments:
        heard = [sound for _, sound, at, _ in sink.shown if 0.0001 < at - moment < 0.3]
        assert len(heard) > 5
        assert not any(sound.samples.any() for sound in heard)
    assert np.mean(sink.sound) > 0.1


def test_what_is_not_muted_passes_as_it_is():
    async def act(switch):
        switch.mute(False)

    sink, telemetry = perform(act, lambda clock: ListSource(voice(3), clock=clock))
    np.testing.assert_array_equal(sink.sound[: 3 * 16_000], voice(3))
    assert telemetry.noted("muted") == 0
    assert telemetry.report()["stages"].get("flush") is None


def test_time_goes_on_and_what_is_said_meanwhile_is_never_heard():
    async def act(switch):
        await asyncio.sleep(1.003)
        switch.toggle()
        switch.mute(True)  # again
        assert switch._telemetry.noted("muted") == 1
        await asyncio.sleep(1)
        switch.toggle()
        assert switch._telemetry.noted("muted") == 0

    sink, telemetry = perform(act, loud(4))
    assert telemetry.report()["stages"]["flush"]["count"] == 1
    assert sink.times[-1] == pytest.approx(4 + 0.08, abs=0.1)
    assert np.count_nonzero(sink.sound) / 16_000 == pytest.approx(3 - 0.12, abs=0.05)  # less what was flushed


def test_a_muted_source_may_be_flushed():
    async def act(switch):
        await asyncio.sleep(0.505)
        switch.mute(True)

    sink, telemetry = perform(act, lambda clock: FlushedSource(np.full(32_000, 0.5), clock, [0.25, 1.0]))
    assert telemetry.report()["stages"]["flush"]["count"] == 3
    assert not any(sound.samples.any() for _, sound, at, _ in sink.shown if at > 0.51)


def test_it_ends_with_its_source_and_tells_of_its_errors():
    class Unreadable(ListSource):
        async def chunks(self):
            async for chunk in super().chunks():
                yield chunk
                raise InputError("the microphone burst")

    async def act(switch):
        pass

    with pytest.raises(InputError, match="burst"):
        perform(act, lambda clock: Unreadable(voice(1), clock=clock))

    async def leave(switch):
        await asyncio.sleep(0.5)
        switch.close()

    sink, _ = perform(leave, loud(60))
    assert len(sink.numbers) < 20
