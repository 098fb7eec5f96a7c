import asyncio
from fractions import Fraction

import numpy as np
import pytest
from fakes import FlushedSource, ListSink, ListSource, LoudnessAnimator, voice
from virtual_time import VirtualClock, run_virtually

from realtime.errors import InputError, SinkLost
from realtime.hand_over import CARRIED_SOUND
from realtime.loop import run
from realtime.telemetry import Telemetry


def play(samples, animator=None, sinks=None, live=True, late=lambda block: 0.0, block=160):
    """Run a stream in virtual time; returns its sinks and its report."""
    sinks = sinks or [ListSink(VirtualClock())]

    async def main():
        clock = VirtualClock()
        source = ListSource(samples, block, clock if live else None, late)
        telemetry = Telemetry(clock)
        await run(source, animator or LoudnessAnimator(), sinks, live=live, clock=clock, telemetry=telemetry)
        assert source.closed
        return telemetry.report()

    return sinks, run_virtually(main())


@pytest.mark.parametrize("live", [False, True], ids=["file", "live"])
def test_frames_drawn_before_their_end_lose_no_sound(live):
    samples = voice(3.21)
    (sink,), _ = play(samples, LoudnessAnimator(25, look_ahead=-640), live=live)
    np.testing.assert_array_equal(sink.sound[: len(samples)], samples)
    assert [sound.start for _, sound, *_ in sink.shown] == [max(0, 640 * (number - 1)) for number in sink.numbers]


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30), Fraction(30000, 1001)])
@pytest.mark.parametrize("live", [False, True], ids=["file", "live"])
def test_every_frame_and_every_sample_arrives(fps, live):
    samples = voice(3.21)
    (sink,), report = play(samples, LoudnessAnimator(fps, look_ahead=1280), live=live)
    frames = -(-len(samples) * fps.numerator // (16_000 * fps.denominator))
    assert sink.numbers == list(range(frames))
    assert [painted for *_, painted in sink.shown] == sink.numbers
    np.testing.assert_array_equal(sink.sound[: len(samples)], samples)
    assert not sink.sound[len(samples) :].any()
    assert sink.ended == "closed"
    assert report["counts"]["frames"] == frames


def test_a_file_takes_no_time_and_loses_nothing_to_a_slow_sink():
    sinks, report = play(voice(60), sinks=[ListSink(cost=0.2), ListSink()], live=False)
    assert all(sink.numbers == list(range(1500)) for sink in sinks)
    assert not any(count for what, count in report["counts"].items() if "dropped" in what)


def test_an_hour_live_is_even_and_complete():
    (sink,), report = play(voice(3600), LoudnessAnimator(4, 1280, cost=lambda number: 0.02), block=4000)
    assert sink.numbers == list(range(4 * 3600))
    assert np.abs(np.diff(sink.times) - 0.25).max() < 0.005
    assert report["stages"]["animate"]["p50_ms"] == pytest.approx(20, rel=0.02)


@pytest.mark.parametrize("look_ahead", [-640, -320, 0, 1280])
def test_the_delay_is_what_was_declared(look_ahead):
    (sink,), report = play(voice(20), LoudnessAnimator(25, look_ahead, cost=lambda number: 0.010))
    declared = 40 + 1000 * look_ahead / 16_000 + 10
    assert declared <= report["stages"]["delay"]["p50_ms"] <= declared + 5
    assert sink.times[-1] - sink.times[0] == pytest.approx((sink.numbers[-1] - sink.numbers[0]) / 25, abs=0.011)


def test_a_live_animator_that_is_too_slow_costs_pictures_but_no_sound():
    samples = voice(30)
    animator = LoudnessAnimator(25, cost=lambda number: 0.055)
    (sink,), report = play(samples, animator)
    assert 0.6 * 750 < len(sink.numbers) < 0.85 * 750
    assert sink.numbers == sorted(set(sink.numbers))
    np.testing.assert_array_equal(sink.sound, samples[: len(sink.sound)])
    assert len(sink.sound) > len(samples) - 0.6 * 16_000
    assert report["counts"]["frames_dropped_undrawn"] > 0
    assert report["stages"]["delay"]["max_ms"] < 200
    assert sum(animator.got) == len(samples) + 640  # it heard everything, and the warm-up


def test_a_hiccup_of_the_animator_passes():
    (sink,), _ = play(voice(20), LoudnessAnimator(25, cost=lambda number: 0.5 if number == 200 else 0.01))
    assert np.diff(sink.times).max() < 0.75
    late = np.array([moment - (number + 1) / 25 for number, moment in zip(sink.numbers, sink.times, strict=True)])
    assert late[-50:].max() < late[50:100].max() + 0.02
    np.testing.assert_array_equal(sink.sound, voice(20)[: len(sink.sound)])


def test_a_slow_start_does_not_delay_the_rest():
    (sink,), report = play(voice(20), LoudnessAnimator(25, cost=lambda number: 0.3 if number < 3 else 0.01))
    delay = sink.times - report["warm_up_s"] - (np.array(sink.numbers) + 1) / 25
    assert delay[:5].max() > 0.25
    assert delay[25 * 5 :].max() < 0.03


def test_a_live_sink_that_is_too_slow_does_not_hold_up_the_others():
    slow, quick = ListSink(cost=0.1), ListSink()
    play(voice(20), sinks=[slow, quick])
    assert quick.numbers == list(range(500))
    assert 190 <= len(slow.numbers) <= 210
    np.testing.assert_array_equal(slow.sound, voice(20)[: len(slow.sound)])


def test_sound_that_waits_for_a_dead_sink_is_bounded():
    dead = ListSink(cost=60)
    _, report = play(voice(40), sinks=[dead, ListSink()])
    assert max(len(sound.samples) for _, sound, *_ in dead.shown) <= CARRIED_SOUND + 640
    assert report["counts"]["samples_lost"] > 16_000 * 30


def test_network_jitter_is_taken_out():
    jitter = np.random.default_rng(0).uniform(0, 0.03, 10_000)
    (sink,), _ = play(voice(60), late=lambda block: jitter[block])
    assert len(sink.numbers) > 1450
    assert np.abs(np.diff(sink.times[250:]) - 0.04).max() < 0.05


def test_a_lost_sink_ends_that_sink_only():
    lost, kept = ListSink(lose_at=10), ListSink()
    _, report = play(voice(4), sinks=[lost, kept], live=False)
    assert lost.ended == "aborted"
    assert lost.numbers == list(range(10))
    assert kept.ended == "closed"
    assert len(kept.numbers) == 100
    assert report["counts"]["lost_ListSink"] == 1


@pytest.mark.parametrize("live", [False, True])
def test_the_last_sink_to_be_lost_ends_the_stream(live):
    sinks = [ListSink(lose_at=10), ListSink(lose_at=20)]
    with pytest.raises(SinkLost, match="disk is full"):
        play(voice(60), sinks=sinks, live=live)
    assert [sink.ended for sink in sinks] == ["aborted", "aborted"]


@pytest.mark.parametrize("live", [False, True])
def test_an_animator_that_fails_aborts_everything(live):
    class Broken(LoudnessAnimator):
        def step(self, samples, state):
            if state == 5:
                raise ZeroDivisionError("the network burst")
            return super().step(samples, state)

    sink = ListSink()
    with pytest.raises(ZeroDivisionError, match="burst"):
        play(voice(4), Broken(), [sink], live)
    assert sink.ended == "aborted"


def test_a_source_that_fails_aborts_everything():
    class Unreadable(ListSource):
        async def chunks(self):
            async for chunk in super().chunks():
                yield chunk
                raise InputError("the file ends in the middle")

    sink = ListSink()
    with pytest.raises(InputError, match="in the middle"):
        run_virtually(run(Unreadable(voice(1)), LoudnessAnimator(), [sink], live=False))
    assert sink.ended == "aborted"


def test_a_sink_that_cannot_open_stops_before_any_work():
    class Shut(ListSink):
        async def open(self, spec):
            raise InputError("no such folder")

    first, animator, source = ListSink(), LoudnessAnimator(), ListSource(voice(1))
    with pytest.raises(InputError, match="folder"):
        run_virtually(run(source, animator, [first, Shut()], live=True))
    assert first.ended == "aborted"
    assert animator.got == []
    assert source.closed


@pytest.mark.parametrize("live", [False, True])
def test_cancelling_aborts(live):
    sink, source = ListSink(cost=0.01), ListSource(voice(60), clock=VirtualClock() if live else None)

    async def main():
        stream = asyncio.create_task(run(source, LoudnessAnimator(), [sink], live=live, clock=VirtualClock()))
        await asyncio.sleep(0.5)
        stream.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stream
        assert len(asyncio.all_tasks()) == 1

    run_virtually(main())
    assert sink.shown
    assert sink.ended == "aborted"
    assert source.closed


def test_closing_the_source_keeps_what_was_shown():
    sink = ListSink()

    async def main():
        source = ListSource(voice(60), clock=VirtualClock())
        stream = asyncio.create_task(run(source, LoudnessAnimator(), [sink], live=True, clock=VirtualClock()))
        await asyncio.sleep(2)
        source.close()
        await stream

    run_virtually(main())
    assert sink.ended == "closed"
    assert len(sink.numbers) == pytest.approx(50, abs=2)


def test_the_loop_runs_on_while_the_engine_works():
    import threading

    went_round = threading.Event()

    class Busy(LoudnessAnimator):
        def step(self, samples, state):
            assert went_round.wait(10), "nothing else happened while a picture was drawn"
            went_round.clear()
            return super().step(samples, state)

    async def main():
        async def go_round():
            while True:
                for _ in range(20):
                    await asyncio.sleep(0)
                went_round.set()

        rounds = asyncio.create_task(go_round())
        await run(ListSource(voice(0.4)), Busy(), [ListSink()], live=False)
        rounds.cancel()

    asyncio.run(main())


def test_the_animator_never_runs_in_the_event_loop():
    import threading

    threads = set()

    class Watched(LoudnessAnimator):
        def step(self, samples, state):
            threads.add(threading.current_thread())
            return super().step(samples, state)

    asyncio.run(run(ListSource(voice(1)), Watched(), [ListSink()], live=False))
    assert len(threads) == 1
    assert threading.main_thread() not in threads


def test_a_flush_shows_the_new_state_at_once_and_silences_the_old_sound():
    moments = [1 + 0.93 * number for number in range(60)]
    samples = np.full(60 * 16_000, 0.5, np.float32)
    animator = LoudnessAnimator(25, look_ahead=1280, cost=lambda number: 0.025)
    sink = ListSink(VirtualClock())

    async def main():
        clock = VirtualClock()
        source = FlushedSource(samples, clock, moments)
        telemetry = Telemetry(clock)
        await run(source, animator, [sink], live=True, clock=clock, telemetry=telemetry)
        return telemetry.report()

    report = run_virtually(main())
    assert report["stages"]["flush"]["count"] == 60
    assert 25 < report["stages"]["flush"]["p50_ms"] < 45
    assert report["stages"]["flush"]["max_ms"] < 60
    begin = report["warm_up_s"]
    for moment in moments:
        heard = [sound for _, sound, at, _ in sink.shown if 0.0001 < at - begin - moment < 0.25]
        assert len(heard) > 4
        assert not any(sound.samples.any() for sound in heard)
    assert np.mean(sink.sound) > 0.2
    assert sink.numbers == sorted(set(sink.numbers))
    assert report["stages"]["delay"]["p99_ms"] < 180  # a picture that was being drawn


def test_the_animator_begins_anew_after_a_flush_but_its_pictures_go_on():
    begun = []

    class Recorded(LoudnessAnimator):
        def initial_state(self, frame=0):
            begun.append(frame)
            return super().initial_state(frame)

    sink = ListSink()

    async def main():
        source = FlushedSource(voice(4), VirtualClock(), [2.01])
        await run(source, Recorded(), [sink], live=True, clock=VirtualClock())

    run_virtually(main())
    assert begun == [0, 0, 50]  # the warm-up, the stream, the flush
    assert [painted for *_, painted in sink.shown] == list(range(len(sink.shown)))
