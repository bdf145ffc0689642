"""The process's own watch: keeps leases alive and takes up turns that a killed process left."""

import asyncio

import structlog

from tenantry.engine.leases import RENEW_S
from tenantry.engine.turn import Engine
from tenantry.storage.repositories import turns
from tenantry.storage.repositories.turns import Unfinished

log = structlog.get_logger()

_BATCH = 200
_AT_ONCE = 32


async def watch(engine: Engine) -> None:
    """Run until cancelled; the first look is at once, and need not wait for the leases of a dead process."""
    sole = engine.sole
    while True:
        try:
            await take_up(engine, sole=sole)
            sole = False
        except Exception:
            # The watch must outlive a database that is away and a turn that cannot be read.
            log.warning("recovery failed, tried again soon", exc_info=True)
        await asyncio.sleep(RENEW_S)


async def keep_leases(engine: Engine) -> None:
    """Renew leases until cancelled, also while turns are being taken up."""
    while True:
        await asyncio.sleep(RENEW_S)
        try:
            await engine.renew_leases()
        except Exception:
            log.warning("leases not renewed", exc_info=True)


async def take_up(engine: Engine, *, sole: bool) -> int:
    """Finish abandoned turns, the oldest first and many at a time, until none is left; how many. With `sole`, no other
    process is alive and every unfinished turn that is not ours is abandoned."""
    done = 0
    gate = asyncio.Semaphore(_AT_ONCE)
    while True:
        async with engine.db.operator() as tx:
            found = await turns.abandoned(tx, engine.leases.id, sole=sole, limit=_BATCH)
        finished = await asyncio.gather(*(_finish(engine, turn, gate) for turn in found))
        done += sum(finished)
        if not any(finished):
            break
    if done:
        log.info("took up abandoned turns", turns=done)
    return done


async def _finish(engine: Engine, turn: Unfinished, gate: asyncio.Semaphore) -> bool:
    async with gate:
        try:
            return await engine.take_up(turn.turn_id, turn.tenant_id)
        except Exception:
            # One turn that cannot be finished must not keep the others waiting.
            log.error("turn not taken up", turn_id=str(turn.turn_id), exc_info=True)
            return False
