"""A program speaks through the puppet: its sound comes over a WebSocket, and others watch."""

from __future__ import annotations

import asyncio

from aiohttp import WSCloseCode, WSMsgType, web

from realtime.clock import MonotonicClock
from realtime.errors import InputError
from realtime.sources.pcm_socket import PcmSource
from realtime.web.session import Performance

FLUSH = "flush"
"""The text message of barge-in: what was sent and not yet spoken is forgotten."""


async def dictate(performance: Performance, socket: web.WebSocketResponse) -> None:
    """Speak what comes until the socket is closed; what waits then is still spoken if it was closed in order.

    Args:
        performance: not yet prepared.
        socket: open. Binary messages are sound: 16 kHz, mono, signed 16 bit, little-endian, cut anywhere.
    """
    await performance.prepare()
    source = PcmSource(MonotonicClock())
    async with asyncio.TaskGroup() as group:
        group.create_task(performance.run(source))
        await _listen(source, socket)
        if socket.close_code == WSCloseCode.OK:
            await asyncio.sleep(source.waiting_s)
        source.close()


async def _listen(source: PcmSource, socket: web.WebSocketResponse) -> None:
    async for message in socket:
        if message.type is WSMsgType.BINARY:
            try:
                source.push_bytes(message.data)
            except InputError as error:
                await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=str(error).encode())
        elif message.type is WSMsgType.TEXT and message.data == FLUSH:
            source.flush()
        else:
            reason = f'Sound comes as binary messages; the only text is "{FLUSH}".'
            await socket.close(code=WSCloseCode.UNSUPPORTED_DATA, message=reason.encode())
