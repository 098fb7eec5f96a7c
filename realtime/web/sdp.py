"""What an SDP offer may ask for, and which of its addresses are tried. Text in, text out; nothing is sent here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address

from realtime.errors import InputError
from realtime.web.access import Reach

MOST_CANDIDATES = 64
"""Addresses that an offer may name."""
MOST_LINES = 1000
"""Lines of an offer; a browser's has about 200."""
SENDS = ("sendrecv", "sendonly")
RECEIVES = ("sendrecv", "recvonly")


def check(offer: str, *, speaks: bool) -> bool:
    """Make sure that an offer is one of a speaker, or of somebody who watches.

    Args:
        offer: what came.
        speaks: whether a voice must come with it.

    Returns:
        Whether the peer wants to hear the sound, too.

    Raises:
        InputError: the offer asks for something else, or is none.
    """
    lines = offer.splitlines()
    if not offer.startswith("v=0") or len(lines) > MOST_LINES:
        raise InputError(f"The offer must be SDP of at most {MOST_LINES} lines.")
    if sum(line.startswith("a=candidate:") for line in lines) > MOST_CANDIDATES:
        raise InputError(f"The offer names more than {MOST_CANDIDATES} addresses.")
    sections = list(_sections(lines))
    kinds = sorted(kind for kind, _ in sections)
    if kinds != ["audio", "video"] and (speaks or kinds != ["video"]):
        raise InputError("The offer must be SDP with one audio and one video section.")
    directions = dict(sections)
    if directions["video"] not in RECEIVES:
        raise InputError("The offer does not take a video: its direction must be recvonly.")
    if speaks and directions["audio"] not in SENDS:
        raise InputError("The offer has no voice in it: its sound must be sent to this server.")
    if not re.search(r"^a=rtpmap:\d+ (H264|VP8)/90000", offer, re.IGNORECASE | re.MULTILINE):
        raise InputError("The offer knows neither H.264 nor VP8: use a browser that does.")
    return directions.get("audio") in RECEIVES


def _sections(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Each section's kind and direction."""
    kind, direction = "", "sendrecv"
    for line in lines:
        if line.startswith("m="):
            if kind:
                yield kind, direction
            kind, direction = line[2:].split(" ")[0], "sendrecv"
        elif line[2:] in ("sendrecv", "sendonly", "recvonly", "inactive"):
            direction = line[2:]
    if kind:
        yield kind, direction


def keep_reachable(offer: str, reach: Reach) -> str:
    """Leave out the addresses that this server does not send to: else anybody could have it knock on doors inside.

    Raises:
        InputError: addresses were named, and none is left.
    """
    lines = offer.splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith("a=candidate:") or _allowed(line, reach)]
    named, left = (sum(line.startswith("a=candidate:") for line in some) for some in (lines, kept))
    if named and not left:
        raise InputError(
            "The offer names only addresses of a private network. For viewers in the same network, let the server "
            "listen on its own address there (--host), not on all."
        )
    return "".join(kept)


def _allowed(line: str, reach: Reach) -> bool:
    fields = line.split()
    host = fields[4] if len(fields) > 4 else ""
    try:
        address: IPv4Address | IPv6Address = ip_address(host)
    except ValueError:
        return host.endswith(".local") and reach is not Reach.WORLD  # a name by which browsers hide their address
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_multicast or address.is_unspecified:
        return False
    if reach is Reach.MACHINE:
        return True
    if reach is Reach.NETWORK:
        return not (address.is_loopback or address.is_link_local)
    return address.is_global


def ask_for_short_packets(answer: str) -> str:
    """Ask the browser to send its voice every 10 ms instead of 20."""
    return re.sub(r"(m=audio .*\r\n(?:c=.*\r\n)?)", r"\1a=ptime:10\r\na=maxptime:10\r\n", answer, count=1)
