import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.errors import InputError
from realtime.web import sdp
from realtime.web.access import Reach

AUDIO = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na={}\r\n"
VIDEO = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na={}\r\na=rtpmap:96 H264/90000\r\n"


def offer(audio="sendrecv", video="recvonly"):
    return "v=0\r\n" + (AUDIO.format(audio) if audio else "") + (VIDEO.format(video) if video else "")


def test_who_speaks_may_hear_or_not():
    assert sdp.check(offer(), speaks=True)
    assert not sdp.check(offer("sendonly"), speaks=True)


def test_who_watches_may_hear_or_not():
    assert sdp.check(offer("recvonly"), speaks=False)
    assert not sdp.check(offer(None), speaks=False)
    assert not sdp.check(offer("inactive"), speaks=False)


@pytest.mark.parametrize(
    ("bad", "speaks", "reason"),
    [
        (offer("recvonly"), True, "no voice"),
        (offer(None), True, "one audio and one video"),
        (offer(video=None), False, "one audio and one video"),
        (offer() + VIDEO.format("recvonly"), False, "one audio and one video"),
        (offer() + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n", True, "one audio and one video"),
        (offer(video="sendonly"), False, "recvonly"),
        (offer().replace("H264", "AV1"), True, "neither H.264 nor VP8"),
        (offer() + "a=x\r\n" * 1000, True, "at most 1000 lines"),
        (offer() + "a=candidate:1 1 udp 1 192.0.2.9 9 typ host\r\n" * 65, True, "more than 64 addresses"),
        ("", False, "must be SDP"),
    ],
)
def test_offers_that_ask_for_something_else(bad, speaks, reason):
    with pytest.raises(InputError, match=reason):
        sdp.check(bad, speaks=speaks)


def candidate(address):
    return f"a=candidate:1 1 udp 2113937151 {address} 50000 typ host\r\n"


@pytest.mark.parametrize(
    ("address", "reaches"),
    [
        ("93.184.216.34", "MACHINE NETWORK WORLD"),
        ("2606:4700::1", "MACHINE NETWORK WORLD"),
        ("192.168.1.5", "MACHINE NETWORK"),
        ("10.0.0.1", "MACHINE NETWORK"),
        ("172.16.3.4", "MACHINE NETWORK"),
        ("fd00::1", "MACHINE NETWORK"),
        ("1f2e.local", "MACHINE NETWORK"),
        ("127.0.0.1", "MACHINE"),
        ("::1", "MACHINE"),
        ("169.254.169.254", "MACHINE"),
        ("fe80::1", "MACHINE"),
        ("::ffff:10.0.0.1", "MACHINE NETWORK"),
        ("::ffff:127.0.0.1", "MACHINE"),
        ("224.0.0.1", ""),
        ("ff02::1", ""),
        ("0.0.0.0", ""),
        ("::", ""),
        ("example.org", ""),
        ("", ""),
    ],
)
def test_which_addresses_are_tried(address, reaches):
    public = candidate("8.8.8.8")
    for reach in Reach:
        kept = sdp.keep_reachable(offer() + candidate(address) + public, reach)
        assert kept == offer() + (candidate(address) if reach.name in reaches.split() else "") + public


def test_nobody_left_to_send_to():
    with pytest.raises(InputError, match=r"only addresses of a private network.*--host"):
        sdp.keep_reachable(offer() + candidate("192.168.1.5"), Reach.WORLD)
    assert sdp.keep_reachable(offer(), Reach.WORLD) == offer()


def test_short_packets():
    answer = sdp.ask_for_short_packets("v=0\r\nm=audio 9 x\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\nm=video 9 x\r\n")
    assert answer == (
        "v=0\r\nm=audio 9 x\r\nc=IN IP4 0.0.0.0\r\na=ptime:10\r\na=maxptime:10\r\na=mid:0\r\nm=video 9 x\r\n"
    )


@given(st.text(max_size=300), st.booleans(), st.sampled_from(Reach))
def test_any_text_is_taken_or_refused(text, speaks, reach):
    for offered in (text, "v=0\r\n" + text, offer() + text, offer() + "a=candidate:" + text):
        try:
            sdp.check(offered, speaks=speaks)
            sdp.keep_reachable(offered, reach)
        except InputError:
            pass
