"""A program speaks through the puppet: its sound comes over a WebSocket, and others watch."""

from __future__ import annotations

import asyncio
import json

from aiohttp import WSCloseCode, WSMsgType, web

from realtime.clock import MonotonicClock
from realtime.errors import InputError
from realtime.sources.mute import MuteSwitch
from realtime.sources.pcm_socket import PcmSource
from realtime.web.session import Performance

FLUSH = "flush"
"""The text message of barge-in: what was sent and not yet spoken is forgotten."""
MUTE = {"mute": True}, {"mute": False}
"""Text messages, as JSON: what is spoken from now on is not heard; it is again."""


async def dictate(performance: Performance, socket: web.WebSocketResponse) -> None:
    """Speak what comes until the socket is closed; what waits then is still spoken if it was closed in order.

    Args:
        performance: not yet prepared.
        socket: open. Binary messages are sound: 16 kHz, mono, signed 16 bit, little-endian, cut anywhere.
    """
    await performance.prepare()
    source = PcmSource(MonotonicClock())
    voice = MuteSwitch(source, performance.telemetry)
    async with asyncio.TaskGroup() as group:
        group.create_task(performance.run(voice))
        await _listen(source, voice, socket)
        if socket.close_code == WSCloseCode.OK:
            await asyncio.sleep(source.waiting_s)
        source.close()


async def _listen(source: PcmSource, voice: MuteSwitch, socket: web.WebSocketResponse) -> None:
    async for message in socket:
        if message.type is WSMsgType.BINARY:
            try:
                source.push_bytes(message.data)
            except InputError as error:
                await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=str(error).encode())
        elif message.type is WSMsgType.TEXT and message.data == FLUSH:
            source.flush()
        elif message.type is WSMsgType.TEXT and (wish := _object(message.data)) in MUTE:
            voice.mute(wish == MUTE[0])
        else:
            reason = f'Sound comes as binary messages; the only texts are "{FLUSH}" and {{"mute": true}} or false.'
            await socket.close(code=WSCloseCode.UNSUPPORTED_DATA, message=reason.encode())


def _object(text: str) -> object:
    """What a message says in JSON; None if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
