"""An event loop whose clock jumps to the next timer: an hour of stream takes seconds, and every run is the same."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _JumpingSelector(selectors.SelectSelector):
    """Where the loop would wait, it moves the time instead."""

    loop: "VirtualTimeLoop"

    def select(self, timeout: float | None = None):
        if timeout is None:
            raise RuntimeError("Deadlock: nothing is left that could happen.")
        self.loop.moment += max(0.0, timeout)
        return super().select(0)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Work for a thread is done at once, and takes the time that it says with `spend`."""

    def __init__(self) -> None:
        selector = _JumpingSelector()
        selector.loop = self
        self.moment = 0.0
        self._spent = 0.0
        super().__init__(selector)

    def time(self) -> float:
        return self.moment

    def spend(self, seconds: float) -> None:
        """Called from work for a thread: it takes this long."""
        self._spent += seconds

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> "asyncio.Future[T]":
        future: asyncio.Future[T] = self.create_future()
        self._spent = 0.0
        try:
            result = func(*args)
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            future.set_exception(error)
            return future
        self.call_later(self._spent, lambda: future.cancelled() or future.set_result(result))
        return future


class VirtualClock:
    """`realtime.clock.Clock` on the running loop's time."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep_until(self, when: float) -> None:
        await asyncio.sleep(max(0.0, when - self.now()))


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
