import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.web.resequencer import CALM, CYCLE, LEAST_HOLD, MOST_HOLD, Resequencer


def play(numbers):
    line = Resequencer()
    return line, [line.push(number % CYCLE, number) for number in numbers]


@pytest.mark.parametrize("first", [0, 1000, CYCLE - 3])
def test_in_order_each_passes_at_once(first):
    _, out = play(range(first, first + 10))
    assert out == [[number] for number in range(first, first + 10)]


def test_two_that_changed_places():
    assert play([0, 2, 1, 3])[1] == [[0], [], [1, 2], [3]]


@pytest.mark.parametrize("first", [0, CYCLE - 3])
def test_a_lost_one_is_given_up(first):
    line, out = play([first + number for number in (0, 1, 3, 4, 5, 6)])
    assert out == [[first], [first + 1], [], [], [first + 3, first + 4, first + 5], [first + 6]]
    assert line.push((first + 2) % CYCLE, first + 2) == []
    assert line.late == 1


def test_what_comes_twice_passes_once():
    line, out = play([0, 1, 1, 3, 3, 2])
    assert out == [[0], [1], [], [], [], [2, 3]]
    assert line.late == 2


def test_a_sender_that_begins_anew_is_heard():
    assert play([5000, 5001, 17, 18])[1] == [[5000], [5001], [17], [18]]


def play_late(line, first, count, late):
    """Packets of which every tenth comes `late` packets late; returns how many passed."""
    order = sorted(range(first, first + count), key=lambda number: number + (late + 0.5) * (number % 10 == 5))
    return sum(len(line.push(number % CYCLE, number)) for number in order)


def test_it_learns_how_late_packets_come_and_forgets():
    line = Resequencer()
    play_late(line, 0, 50, 5)
    lost_at_first = line.late
    assert 1 <= lost_at_first <= 2
    play_late(line, 50, 1000, 5)
    assert line.late <= lost_at_first + 2  # of a hundred: now and then it tries with less
    play_late(line, 1050, MOST_HOLD * CALM, 0)
    assert line._hold == LEAST_HOLD


def test_it_learns_no_more_than_it_may():
    line = Resequencer()
    play_late(line, 0, 1000, 30)
    assert line._hold == MOST_HOLD


@given(st.integers(0, CYCLE - 1), st.floats(0, 0.3, allow_subnormal=False), st.integers(0, 1000))
def test_never_out_of_order_and_never_more_held_than_allowed(first, loss, seed):
    chance = random.Random(seed)
    numbers = [first + number for number in range(300) if chance.random() >= loss]
    for at in range(0, len(numbers) - 1, 7):
        numbers[at], numbers[at + 1] = numbers[at + 1], numbers[at]
    line, out = play(numbers)
    released = [number for group in out for number in group]
    assert released == sorted(set(released))
    assert len(line._held) <= MOST_HOLD
    assert len(released) + line.late + len(line._held) == len(numbers)
