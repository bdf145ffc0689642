"""The process's own watch: keeps leases alive and takes up turns that a killed process left."""

import asyncio

import structlog

from tenantry.engine.leases import RENEW_S
from tenantry.engine.turn import Engine
from tenantry.storage.repositories import turns
from tenantry.storage.repositories.turns import Unfinished

log = structlog.get_logger()

_BATCH = 100


async def watch(engine: Engine) -> None:
    """Run until cancelled."""
    while True:
        await asyncio.sleep(RENEW_S)
        try:
            await engine.leases.renew()
            await take_up(engine, sole=False)
        except Exception:
            # The watch must outlive a database that is away and a turn that cannot be read.
            log.warning("recovery failed, tried again soon", exc_info=True)


async def take_up(engine: Engine, *, sole: bool) -> int:
    """Finish abandoned turns, oldest first, until none is left; how many. With `sole`, no other process is alive and
    every unfinished turn is abandoned."""
    done = 0
    while True:
        async with engine.db.operator() as tx:
            found = await turns.abandoned(tx, engine.leases.id, sole=sole, limit=_BATCH)
        found = [turn for turn in found if not engine.leases.holds(turn.turn_id)]
        finished = [turn for turn in found if await _finish(engine, turn, sole=sole)]
        done += len(finished)
        if not finished:
            break
    if done:
        log.info("took up abandoned turns", turns=done)
    return done


async def _finish(engine: Engine, turn: Unfinished, *, sole: bool) -> bool:
    try:
        return await engine.finish_abandoned(turn.turn_id, turn.tenant_id, sole=sole)
    except Exception:
        # One turn that cannot be finished must not keep the others waiting.
        log.error("turn not taken up", turn_id=str(turn.turn_id), exc_info=True)
        return False
