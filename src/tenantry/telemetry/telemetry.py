"""Takes reports of turns from the hot path, and makes metrics and spans of them behind it."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from tenantry.domain.errors import ConfigurationError
from tenantry.domain.trace import TurnReport
from tenantry.settings import TelemetrySettings
from tenantry.telemetry.loop_lag import LoopLag

if TYPE_CHECKING:
    from tenantry.telemetry.metrics import Metrics
    from tenantry.telemetry.spans import Spans

log = structlog.get_logger()

# A report holds what was said in its turn, so that only as many wait as memory has room for.
QUEUE_LIMIT = 1_000
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class _Gauge:
    name: str
    about: str
    read: Callable[[], float]


class Telemetry:
    """The metrics and traces of one process. What is not set up costs nothing: its libraries are not even loaded."""

    def __init__(self, settings: TelemetrySettings) -> None:
        self._settings = settings
        self._waiting: deque[TurnReport] = deque()
        self._dropped = 0
        self._wake = asyncio.Event()
        self._gauges: list[_Gauge] = []
        self._lag = LoopLag()
        self._metrics: Metrics | None = None
        self._spans: Spans | None = None
        self._users = 0
        self._task: asyncio.Task[None] | None = None
        self.gauge(
            "tenantry_event_loop_lag_seconds", "Longest delay of the event loop since the last scrape.", self._lag.worst
        )

    def observe(self, report: TurnReport) -> None:
        """Take the report of a stored turn; called in the event loop. Never waits and never raises; when too many wait
        already, the report is dropped and counted."""
        if self._task is None:
            return
        if len(self._waiting) >= QUEUE_LIMIT:
            self._dropped += 1
            return
        self._waiting.append(report)
        self._wake.set()

    def gauge(self, name: str, about: str, read: Callable[[], float]) -> None:
        """Have `read` asked for a value of the process at each scrape, in the event loop; it must not wait."""
        self._gauges.append(_Gauge(name, about, read))

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Work on reports while inside; several may be inside at once."""
        self._users += 1
        if self._users == 1:
            self._start()
        try:
            yield
        finally:
            self._users -= 1
            if self._users == 0:
                await self._stop()

    async def exposition(self) -> bytes | None:
        """The metrics in Prometheus' text format (`CONTENT_TYPE`), with all turns told so far; None where there are
        none."""
        metrics = self._metrics
        if metrics is None:
            return None
        await self._work_off()
        dropped, self._dropped = self._dropped, 0
        metrics.lost(dropped)
        for gauge in self._gauges:
            metrics.measured(gauge.name, gauge.about, gauge.read())
        # In a thread, as the text may be long; each series is read under its own lock.
        return await asyncio.to_thread(metrics.exposition)

    def _start(self) -> None:
        settings = self._settings
        if settings.metrics_token is not None and self._metrics is None:
            from tenantry.telemetry.metrics import Metrics

            self._metrics = Metrics()
        if settings.traces_url is not None:
            from tenantry.telemetry.spans import Spans

            try:
                self._spans = Spans(settings.traces_url)
            except (ValueError, OSError) as error:
                detail = f"The OTEL_ settings cannot be used ({type(error).__name__}); correct them or unset them."
                raise ConfigurationError(detail) from error
        if self._metrics is not None:
            self._lag.start()
        if self._metrics is not None or self._spans is not None:
            self._task = asyncio.create_task(self._work())

    async def _stop(self) -> None:
        self._lag.stop()
        task, self._task = self._task, None
        spans, self._spans = self._spans, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        while self._waiting:
            self._take(self._waiting.popleft(), spans)
        if spans is not None:
            await spans.close()

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._work_off()

    async def _work_off(self) -> None:
        """Work on all that waits at this moment, letting the loop do other things after each."""
        for _ in range(len(self._waiting)):
            if not self._waiting:
                return
            self._take(self._waiting.popleft(), self._spans)
            await asyncio.sleep(0)

    def _take(self, report: TurnReport, spans: "Spans | None") -> None:
        try:
            if self._metrics is not None:
                self._metrics.add(report)
            if spans is not None:
                spans.add(report)
        # A broad net on purpose: a report that cannot be told must not end the telling of all others.
        except Exception as error:
            log.error("turn not reported", turn_id=str(report.turn_id), exc_info=error)
