"""The sound that a viewer hears over WebRTC, in step with the pictures."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from realtime.clock import Clock
from realtime.mailbox import Mailbox, Overflow
from realtime.media import SAMPLE_RATE, AudioChunk

PACKET = SAMPLE_RATE // 50
"""Samples sent at a time: 20 ms."""
LAG = 0.03
"""Seconds that sound leaves after its picture, so that packets are even though sound comes in pieces of a frame."""
MOST_WAITING = 0.1
"""Seconds of sound in hand from which packets are sent at once, to catch up."""
MOST_LAG = 0.15
"""Seconds after its picture from which on sound is left out: after a hiccup its pictures were not seen either, and what
is sent late, browsers keep late for many seconds."""
PACKETS_AVERAGED = 25
"""Of which the lag is told: half a second."""
WINDOW = 25
"""Pieces at whose coming it is observed how much sound is still in hand; what always is makes the next ones earlier."""


class VoiceTrack(MediaStreamTrack):
    """Cuts the sound into packets and sends them evenly, from the moment at which somebody listens."""

    kind = "audio"

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._pieces: Mailbox[AudioChunk] = Mailbox(64, Overflow.KEEP_NEWEST)
        self._listening = False
        self._in_hand: AudioChunk | None = None
        self._due: float | None = None
        self._offered = self._sent = 0  # samples: the ends of what was
        self._least_spare = SAMPLE_RATE
        self._observed = 0
        self.lost = 0
        """Samples left out because they came too late."""
        self.lag = LAG
        """Seconds that sound leaves after its picture, on average of late."""
        self._begin = 0.0  # when sample 0 was seen (s)

    def offer(self, sound: AudioChunk, seen: int) -> None:
        """Take the next piece of the stream.

        Args:
            sound: the piece.
            seen: number of the sample with which the picture begins that is shown now.
        """
        self._begin = self._clock.now() - seen / SAMPLE_RATE
        if self._listening:
            self._least_spare = min(self._least_spare, max(0, self._offered - self._sent))
            self._observed += 1
            self._offered = sound.end
            self._pieces.offer(sound)

    async def recv(self) -> av.AudioFrame:
        self._listening = True
        sound = await self._next()
        self.lag += (self._lag_of(sound) - self.lag) / PACKETS_AVERAGED
        packet = (sound.samples[:PACKET] * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(packet[None], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = sound.start
        frame.time_base = Fraction(1, SAMPLE_RATE)
        self._in_hand = sound.last(len(sound.samples) - len(packet))
        self._sent = self._in_hand.start
        self._follow()
        return frame

    async def _next(self) -> AudioChunk:
        """Wait until a packet is to be sent; returns it with what is in hand after it."""
        while True:
            sound = await self._gather()
            if self._leave_out(sound):
                continue
            now = self._clock.now()
            if self._due is None:
                self._due = now + LAG
            if len(sound.samples) > MOST_WAITING * SAMPLE_RATE or self._due < now - MOST_WAITING:
                self._due = now
            await self._clock.sleep_until(self._due)
            if not self._leave_out(sound):  # the hiccup may have come meanwhile
                self._due += PACKET / SAMPLE_RATE
                return sound

    def _lag_of(self, sound: AudioChunk) -> float:
        """Seconds since the picture was seen to which the first sample belongs."""
        return self._clock.now() - self._begin - sound.start / SAMPLE_RATE

    def _leave_out(self, sound: AudioChunk) -> bool:
        """Let go of what is too late in the sound in hand; returns whether there was any."""
        lag = self._lag_of(sound)
        if lag <= MOST_LAG:
            return False
        self._in_hand = sound.last(max(0, len(sound.samples) - round(lag * SAMPLE_RATE)))
        self.lost += len(sound.samples) - len(self._in_hand.samples)
        self._sent = self._in_hand.start
        self._due = None
        return True

    def _follow(self) -> None:
        """Pictures that come earlier than they used to leave sound behind them; go after them."""
        assert self._due is not None
        if self._observed >= WINDOW:
            late = (self._least_spare - PACKET) / SAMPLE_RATE
            self._due -= late if late > LAG / 3 else 0.0
            self._least_spare, self._observed = SAMPLE_RATE, 0

    async def _gather(self) -> AudioChunk:
        """Wait for a packet's worth of sound, and take what else has come."""
        sound = self._in_hand
        while sound is None or len(sound.samples) < PACKET or len(self._pieces):
            try:
                piece = await anext(self._pieces)
            except StopAsyncIteration:
                raise MediaStreamError from None
            begins = sound is None or piece.generation > sound.generation  # what was flushed is not sent
            sound = self._in_hand = piece if sound is None or begins else sound.followed_by(piece)
            if begins:
                self._sent = piece.start
        return sound

    def stop(self) -> None:
        super().stop()
        self._pieces.close()
