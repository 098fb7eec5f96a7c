import numpy as np
import pytest

from realtime.bench.bad_network import BAD_S, GOOD_S, JITTER_S, BadNetwork, Kind, check, recovery
from realtime.bench.through import Through
from realtime.bench.witness import Witness
from realtime.errors import InputError

START = 100.0
PACKETS = START + np.arange(0, 60, 0.01)


def arrivals(kind):
    network = BadNetwork()
    return network, [network.fate(kind, False, now) for now in PACKETS]


def test_good_times_change_nothing_and_bad_ones_lose_and_delay_in_order():
    network, came = arrivals(Kind.VIDEO)
    bad = (PACKETS - START) % (GOOD_S + BAD_S) >= GOOD_S
    late = np.array([np.nan if then is None else then - now for then, now in zip(came, PACKETS, strict=True)])
    assert np.nanmax(late[bad]) == pytest.approx(JITTER_S, abs=0.002)
    soon_after = np.convolve(bad, np.ones(10))[: len(bad)] > 0
    assert not late[~soon_after].any()
    lost = np.isnan(late)
    assert network.lost == lost.sum()
    assert not lost[~bad].any()
    assert 0.01 < lost[bad].mean() < 0.03
    assert np.diff([then for then in came if then is not None]).min() >= 0


def test_voice_is_lost_less_often_and_nothing_else_is():
    assert 0 < arrivals(Kind.VOICE)[0].lost < arrivals(Kind.VIDEO)[0].lost
    assert arrivals(Kind.OTHER)[0].lost == 0


@pytest.mark.parametrize("takes", [0.0, 0.5, 3.0])
def test_how_soon_the_delay_is_normal_again(takes):
    network = BadNetwork()
    network.fate(Kind.OTHER, True, START)
    moments = START + np.arange(0, 45, 0.001)
    since_start = (moments - START) % (GOOD_S + BAD_S)
    bad = (since_start >= GOOD_S) | ((since_start < takes) & (moments > START + GOOD_S))
    delay = np.where(bad, 0.15, 0.09) + moments % 0.04
    witness = Witness(times=[START, START + 0.04, START + 0.34])
    result = recovery(network.ends(moments[-1]), moments, delay, witness)
    assert result["spells"] == 2  # nothing follows the third
    assert result["normal"] == pytest.approx(110, abs=1)
    assert result["in_spells_p95"] == pytest.approx(188, abs=1)
    assert result["recovery_max"] == pytest.approx(1000 * takes, abs=110)
    assert result["longest_freeze"] == 300


def test_a_run_without_a_spell_says_so():
    with pytest.raises(InputError, match="before or after a bad spell"):
        recovery([], np.array([0.0, 1.0]), np.array([0.1, 0.1]), Witness())
    with pytest.raises(InputError, match="--seconds 21 or more"):
        check(Through.CHROMIUM, 20)
    with pytest.raises(InputError, match="--through webrtc"):
        check(Through.NULL, 60)
    check(Through.WEBRTC, 21)
