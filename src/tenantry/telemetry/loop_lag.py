"""How late the event loop is: what every request in the process waits for."""

import asyncio

PERIOD_S = 0.25


class LoopLag:
    """Asks to be called every `PERIOD_S` seconds and keeps by how much that was too late."""

    def __init__(self) -> None:
        self._worst = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Measure from now on, in the running loop."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(loop.time() + PERIOD_S, self._called, loop, loop.time() + PERIOD_S)

    def stop(self) -> None:
        """Measure no more."""
        if self._timer is not None:
            self._timer.cancel()

    def worst(self) -> float:
        """The longest delay, in seconds, since it was last asked for."""
        worst, self._worst = self._worst, 0.0
        return worst

    def _called(self, loop: asyncio.AbstractEventLoop, wanted: float) -> None:
        self._worst = max(self._worst, loop.time() - wanted)
        self.start()
