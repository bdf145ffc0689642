"""Jobs: enqueued in the transaction that makes them necessary, and run by any process until they are done.

The queue is PgQueuer's. A job is a name and the id of what it is about: it reads what is to be done when it runs, so
that running it twice, or after the fact, does no harm.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import structlog
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.core.qm import QueueManager
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.domain.models import Job
from pgqueuer.queries import Queries

from tenantry.domain.errors import DatabaseUnavailable
from tenantry.storage.tenancy import Database, TenantTx

log = structlog.get_logger()

# (tenant, subject). Raises Later to be run again.
Handler = Callable[[UUID, UUID], Awaitable[None]]

_AGAIN_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
_RECONNECT_S = 1.0
_LAST_JOBS_S = 10.0
# PgQueuer notifies of new jobs, not of those that are to be run again.
_LOOK_EVERY = timedelta(seconds=1)
_BATCH = 10
_AT_ONCE = 40
# A process that is gone leaves its jobs to others after this.
HEARTBEAT_S = 15.0


class Later(Exception):
    """The job cannot be done yet: `after` is in seconds, by default longer from attempt to attempt; `reason` is a short
    code, which is kept."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after = after


async def enqueue(tx: TenantTx, name: str, subject: UUID, *, after: timedelta = timedelta(0)) -> None:
    """Have the job run once the transaction is committed, `after` that at the earliest."""
    await tx.execute("SELECT enqueue_job($1, $2, $3)", name, subject, after)


class JobRunner:
    """Runs jobs, many at a time, on a connection of its own that listens for new ones."""

    def __init__(self, db: Database, handlers: Mapping[str, Handler], heartbeat_s: float = HEARTBEAT_S) -> None:
        self._db = db
        self._handlers = handlers
        self._heartbeat = timedelta(seconds=heartbeat_s)
        self._manager: QueueManager | None = None
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()

    async def stop(self, patience_s: float = _LAST_JOBS_S) -> None:
        """Begin no more jobs, wait for those that run, and leave those that take longer to whoever comes next."""
        self._stopping.set()
        if self._manager is None:
            return
        self._manager.shutdown.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await self._stopped.wait()
        for task in self._running:
            task.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_JOBS_S):
                await self._stopped.wait()

    async def run_for_ever(self) -> None:
        """Run until stopped."""
        while not self._stopping.is_set():
            try:
                async with self._db.operator_connection() as connection:
                    manager = self._manager = QueueManager(Queries(AsyncpgDriver(connection)))
                    for name, handler in self._handlers.items():
                        manager.entrypoint(name)(self._entrypoint(name, handler))
                    await manager.run(
                        dequeue_timeout=_LOOK_EVERY,
                        batch_size=_BATCH,
                        max_concurrent_tasks=_AT_ONCE,
                        heartbeat_timeout=self._heartbeat,
                        shutdown_on_listener_failure=True,
                    )
            except Exception as error:
                # It must outlive a database that is away.
                log.warning("job queue away, tried again soon", error=type(error).__qualname__)
            if not self._stopping.is_set():
                await asyncio.sleep(_RECONNECT_S)
        self._stopped.set()

    def _entrypoint(self, name: str, handler: Handler) -> Callable[[Job], Awaitable[None]]:
        async def run(job: Job) -> None:
            task = asyncio.ensure_future(_run(name, handler, job))
            self._running.add(task)
            try:
                await task
            except asyncio.CancelledError:
                # The process ends. PgQueuer takes a job that was cut off for cancelled, and it would be gone.
                raise RetryRequested(reason="cut_off") from None
            finally:
                self._running.discard(task)

        return run


async def _run(name: str, handler: Handler, job: Job) -> None:
    payload = job.payload or b""
    tenant_id, subject = UUID(bytes=payload[:16]), UUID(bytes=payload[16:32])
    try:
        await handler(tenant_id, subject)
    except Later as later:
        raise _again(job, later.reason, later.after) from None
    except DatabaseUnavailable as away:
        raise _again(job, away.code, away.retry_after) from None
    except Exception as error:
        # A broad net on purpose: no job is lost. What the exception says may quote a person or a secret.
        log.error("job failed", job=name, tenant_id=str(tenant_id), subject=str(subject), exc_info=error)
        raise _again(job, type(error).__qualname__, None) from None


def _again(job: Job, reason: str, after: float | None) -> RetryRequested:
    seconds = _AGAIN_S[min(job.attempts, len(_AGAIN_S) - 1)] if after is None else after
    log.debug("job put off", job=job.entrypoint, id=job.id, reason=reason, seconds=seconds)
    return RetryRequested(timedelta(seconds=seconds), reason)
