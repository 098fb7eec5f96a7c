"""The mailbox: a bounded hand-over between two tasks that counts what it loses."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from enum import Enum
from typing import Generic, TypeVar

T = TypeVar("T")


class Overflow(Enum):
    """What a full mailbox does."""

    BLOCK = "the writer waits"
    KEEP_NEWEST = "the oldest item is lost"


class Mailbox(Generic[T]):
    """One writer, one reader who iterates over it, in one event loop."""

    def __init__(self, capacity: int, overflow: Overflow, bequeath: Callable[[T, T], T] | None = None) -> None:
        """A mailbox for at most `capacity` items.

        Args:
            capacity: at least 1.
            overflow: what happens when it is full.
            bequeath: given an item that is being lost and the one after it, returns what takes the place of the latter.
                So a picture may be lost and leave its sound to the next.
        """
        self.lost = 0
        """Items that nobody has read, and nobody will."""
        self._capacity = capacity
        self._overflow = overflow
        self._bequeath = bequeath
        self._items: deque[T] = deque()
        self._closed = False
        self._arrived = asyncio.Event()
        self._freed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._items)

    async def put(self, item: T) -> None:
        """Hand over an item, after waiting for room if that is the rule. In a closed mailbox it counts as lost."""
        while self._overflow is Overflow.BLOCK and len(self._items) >= self._capacity and not self._closed:
            self._freed.clear()
            await self._freed.wait()
        self.offer(item)

    def offer(self, item: T) -> None:
        """Hand over an item without waiting; a full mailbox loses its oldest."""
        if self._closed:
            self.lost += 1
            return
        self._items.append(item)
        if len(self._items) > self._capacity:
            oldest = self._items.popleft()
            self.lost += 1
            if self._bequeath is not None:
                self._items[0] = self._bequeath(oldest, self._items[0])
        self._arrived.set()

    def close(self) -> None:
        """Nothing more comes, or nobody reads any more. What is inside can still be read."""
        self._closed = True
        self._arrived.set()
        self._freed.set()

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        while not self._items:
            if self._closed:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        self._freed.set()
        return self._items.popleft()
