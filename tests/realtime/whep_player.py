"""A WHEP player, made of aiortc."""

import asyncio

import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from fakes import read_number


class Player:
    """Watches, and keeps the numbers painted into the pictures and how loud the sound is."""

    def __init__(self, client, kinds=("video", "audio")):
        self._client = client
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._readers = []
        self.numbers, self.sound = [], []
        self.begun = asyncio.Event()
        for kind in kinds:
            self._pc.addTransceiver(kind, direction="recvonly")
        self._pc.on("track", lambda track: self._readers.append(asyncio.create_task(self._read(track))))

    async def ask(self):
        await self._pc.setLocalDescription(await self._pc.createOffer())
        headers = {"Content-Type": "application/sdp"}
        return await self._client.post("/whep", data=self._pc.localDescription.sdp, headers=headers)

    async def join(self):
        response = await self.ask()
        assert (response.status, response.content_type) == (201, "application/sdp"), await response.text()
        self.resource = response.headers["Location"]
        await self._pc.setRemoteDescription(RTCSessionDescription(await response.text(), "answer"))
        async with asyncio.timeout(10):
            await self.begun.wait()

    async def _read(self, track):
        try:
            while True:
                frame = await track.recv()
                if track.kind == "audio":
                    self.sound.append(np.abs(frame.to_ndarray()).max())
                else:
                    self.numbers.append(read_number(frame.to_ndarray(format="rgb24")))
                    self.begun.set()
        except MediaStreamError:
            pass

    @property
    def state(self):
        return self._pc.connectionState

    async def close(self):
        await self._pc.close()
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
