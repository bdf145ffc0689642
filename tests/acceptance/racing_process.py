"""Processes of the race, forked from one that has imported everything: `python -m tests.acceptance.racing_process`.

Each line of standard input is a JSON object, see `Order`, and starts a process that works for members' calendars
(`work`) or races for their slots (`race`); a line `pid N` tells which. They write to files of their own.
"""

import asyncio
import contextlib
import ctypes
import json
import logging
import os
import signal
import sys
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import structlog
import uvloop

from tenantry.calendars import appointment_book
from tenantry.calendars.worker import sweep_unsettled, watch_calendars
from tenantry.credentials import connection_store
from tenantry.credentials.token_refresh import RefreshTimes
from tenantry.llm.form_policy.policy import FormPolicy
from tenantry.logs import configure_logs
from tenantry.server import runtime as runtime_module
from tenantry.server.runtime import Runtime, open_runtime
from tenantry.settings import load_settings
from tenantry.storage.jobs import JobRunner
from tests.acceptance.racers import race

log = structlog.get_logger()

_PR_SET_PDEATHSIG = 1
# What a worker logs when it begins.
AT_WORK = "at work"
# So short that what a kill leaves is taken up within seconds, and that tokens end all the time.
LEASE = timedelta(seconds=5)
_HEARTBEAT_S = 2.0
_PATIENCE_S = 0.2
_TIMES = RefreshTimes(early_s=4, least_s=1, pause_s=1, lease_s=11)


@dataclass(frozen=True)
class Order:
    """One process: what it does, where it logs, and for a racer the seed, its attempts, and where it tells of them."""

    role: Literal["work", "race"]
    log: str
    tenant_id: str = ""
    agents: list[str] = field(default_factory=list[str])
    seed: int = 0
    attempts: int = 0
    told: str = ""

    def line(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"


async def _work(runtime: Runtime) -> None:
    """As a server does it in the background."""
    log.info(AT_WORK)
    await asyncio.gather(
        JobRunner(runtime.db, runtime.jobs, heartbeat_s=_HEARTBEAT_S).run_for_ever(),
        watch_calendars(runtime.db, runtime.syncer),
        sweep_unsettled(runtime.db),
    )


async def _run(order: Order) -> None:
    settings = load_settings()
    async with open_runtime(settings) as runtime:
        if order.role == "work":
            await _work(runtime)
        else:
            # They would leave no time to the workers.
            os.nice(4)
            await race(runtime, order.tenant_id, order.agents, order.seed, order.attempts, Path(order.told))


def _settle_within(lease: timedelta) -> None:
    """Have bookings settled under a lease of this length by this process."""
    made = runtime_module.Settler

    def settler(*arguments: Any, **named: Any) -> Any:
        return replace(made(*arguments, **named), lease=lease)

    runtime_module.Settler = settler  # type: ignore[assignment,misc]


def _child(order: Order) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    sys.stdin.close()
    log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 2)
    configure_logs("debug")
    logging.getLogger().setLevel(logging.DEBUG)
    appointment_book.PATIENCE_S = _PATIENCE_S
    connection_store.RefreshTimes = lambda: _TIMES  # type: ignore[assignment,misc]
    _settle_within(LEASE)
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_run(order))


def main() -> None:
    """Start a process for each line, until the input ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # What takes a start the longest is done once.
    FormPolicy()
    while line := sys.stdin.readline():
        pid = os.fork()
        if pid == 0:
            try:
                _child(Order(**json.loads(line)))
            except BaseException as error:
                os.write(2, f"ended by {error!r}\n".encode())
                os._exit(1)
            os._exit(0)
        print(f"pid {pid}", flush=True)


if __name__ == "__main__":
    main()
