"""The sink that publishes to a streaming server, by WHIP (RFC 9725): one HTTP request, then WebRTC."""

from __future__ import annotations

import asyncio
from urllib.parse import urljoin, urlsplit

import aiohttp

from realtime.clock import Clock
from realtime.errors import InputError, SinkLost
from realtime.media import AudioChunk, StreamSpec, VideoFrame
from realtime.sinks.webrtc import WebRtcSink
from realtime.web.peer import Peer

ANSWER_S = 10.0
"""Seconds that the server may take to answer."""
LEAVE_S = 1.5
"""Seconds that saying goodbye may take."""
MOST_REDIRECTS = 3
MOST_BYTES = 64 * 1024
"""Size of an answer."""


class WhipSink:
    """Publishes what is shown. Closed in order, it says goodbye to the server."""

    def __init__(self, url: str, token: str | None, clock: Clock) -> None:
        """Nothing is sent before `open`.

        Args:
            url: the server's WHIP endpoint, http or https.
            token: sent as `Authorization: Bearer …`, if there is one.
            clock: of the stream.

        Raises:
            InputError: the URL is none.
        """
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise InputError(f"{url} is not the address of a WHIP server: it should begin with https:// or http://.")
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._inner = WebRtcSink(clock)
        self._peer: Peer | None = None
        self._resource: str | None = None
        self._leaving: asyncio.Task[None] | None = None

    async def open(self, spec: StreamSpec) -> None:
        await self._inner.open(spec)
        self._peer = Peer(self._inner.watch())
        try:
            await self._peer.accept(await self._post(await self._peer.offer()))
            await self._peer.connect()
        except BaseException as error:
            await self.close()
            if isinstance(error, TimeoutError):
                raise InputError(
                    f"{self._url} took the offer, but no connection came about: is UDP blocked on the way?"
                ) from None
            raise

    async def show(self, frame: VideoFrame, sound: AudioChunk) -> None:
        assert self._peer is not None, "open() comes first"
        if self._peer.gone.is_set():
            raise SinkLost(f"{self._url} has hung up.")
        await self._inner.show(frame, sound)

    async def close(self) -> None:
        self._inner.abort()
        try:
            if self._resource is not None:
                await self._delete(self._resource)
        finally:
            if self._peer is not None:
                await self._peer.close()

    def abort(self) -> None:
        self._inner.abort()
        self._leaving = asyncio.create_task(self.close())  # if the loop goes on that long

    async def _post(self, offer: str) -> str:
        """Make an offer; returns the answer."""
        url = self._url
        headers = {**self._headers, "Content-Type": "application/sdp"}
        try:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(ANSWER_S)) as client:
                for _ in range(MOST_REDIRECTS + 1):
                    async with client.post(url, data=offer, headers=headers, allow_redirects=False) as response:
                        if response.status in (307, 308):
                            url = self._follow(url, response.headers.get("Location", ""))
                            continue
                        if response.status != 201:
                            raise InputError(_refusal(url, response.status))
                        if location := response.headers.get("Location"):
                            self._resource = urljoin(url, location)
                        return (await response.content.read(MOST_BYTES)).decode(errors="replace")
        except TimeoutError:
            raise InputError(f"{url} did not answer within {ANSWER_S:g} s: is it a WHIP server?") from None
        except aiohttp.ClientError as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"{url} cannot be reached: {reason}.") from error
        raise InputError(f"{self._url} redirects again and again: ask for the server's real address.")

    def _follow(self, url: str, location: str) -> str:
        target = urljoin(url, location)
        if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
            raise InputError(f"{url} redirects to {target}, which is not encrypted: that is refused.")
        return target

    async def _delete(self, resource: str) -> None:
        """Say goodbye; a server that does not listen has noticed by itself."""
        try:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(LEAVE_S)) as client:
                await client.delete(resource, headers=self._headers)
        except (aiohttp.ClientError, TimeoutError):
            pass


def _refusal(url: str, status: int) -> str:
    if status in (401, 403):
        return f"{url} refuses the token ({status}): check --token."
    if status == 404:
        return f"{url} is not known there (404): check the address of the WHIP endpoint."
    if status >= 500:
        return f"{url} has failed ({status}): look into the server's log, or try again later."
    return f"{url} answered {status} where WHIP has 201: is it a WHIP endpoint?"
