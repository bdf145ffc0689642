"""How busy the machine is."""

import asyncio
from collections import deque

from livekit.agents.utils.hw import get_cpu_monitor

_SAMPLES = 5
_SAMPLE_S = 0.5


class CpuLoad:
    """The share of all cores that was busy over the last seconds."""

    def __init__(self) -> None:
        self._monitor = get_cpu_monitor()
        self._samples: deque[float] = deque([0.0], maxlen=_SAMPLES)

    @property
    def now(self) -> float:
        """From 0 to 1."""
        return sum(self._samples) / len(self._samples)

    async def measure(self) -> None:
        """Measure, for ever."""
        while True:
            self._samples.append(await asyncio.to_thread(self._monitor.cpu_percent, _SAMPLE_S))
