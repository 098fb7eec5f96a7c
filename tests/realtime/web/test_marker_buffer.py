import pytest
from aiortc.rtp import RtpPacket

from realtime.web.aiortc_patches import MarkerBuffer


def packet(number, picture, last=False):
    made = RtpPacket(sequence_number=number % 65536, timestamp=3600 * picture, marker=int(last))
    made._data = bytes([number % 256])
    return made


def fed(packets):
    buffer = MarkerBuffer(capacity=16, is_video=True)
    return [frame.data if (frame := buffer.add(each)[1]) else None for each in packets]


@pytest.mark.parametrize("first", [0, 65_534])
def test_a_picture_comes_with_its_last_packet(first):
    numbers = [(first + number) % 256 for number in range(5)]
    packets = [packet(first, 1), packet(first + 1, 1, True), packet(first + 2, 2, True), packet(first + 3, 3)]
    assert fed([*packets, packet(first + 4, 3, True)]) == [
        None, bytes(numbers[:2]), bytes(numbers[2:3]), None, bytes(numbers[3:]),
    ]  # fmt: skip


def test_a_packet_out_of_turn_is_waited_for():
    order = [packet(0, 1, True), packet(2, 2, True), packet(1, 2), packet(3, 3, True)]
    assert fed(order) == [bytes([0]), None, None, bytes([1, 2])]


def test_a_lost_picture_does_not_stop_the_next_ones_for_good():
    packets = [packet(0, 1, True), *[packet(number, number, True) for number in range(2, 40)]]
    assert fed(packets)[-1] is not None
