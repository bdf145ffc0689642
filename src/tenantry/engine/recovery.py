"""The process's own watch: keeps leases alive and takes up turns that a killed process left."""

import asyncio
from uuid import UUID

import structlog

from tenantry.engine.leases import RENEW_S
from tenantry.engine.turn import Engine
from tenantry.storage.repositories import turns
from tenantry.storage.repositories.turns import Unfinished

log = structlog.get_logger()

_BATCH = 200
_AT_ONCE = 32
_GATHER_S = 0.01


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
    process is alive and every unfinished turn that is not ours is abandoned.

    Conversations do not wait for each other: a turn that takes long keeps only those behind it waiting.
    """
    done = 0
    gate = asyncio.Semaphore(_AT_ONCE)
    in_hand: dict[asyncio.Task[bool], UUID] = {}
    # Not to be had for now: tried again after a while.
    put_off: set[UUID] = set()
    time = asyncio.get_running_loop().time
    again_at = time() + RENEW_S
    try:
        while True:
            if time() >= again_at:
                put_off.clear()
                again_at = time() + RENEW_S
            async with engine.db.operator() as tx:
                but = [*in_hand.values(), *put_off]
                found = await turns.abandoned(tx, engine.leases.id, sole=sole, limit=_BATCH, but=but)
            in_hand |= {asyncio.create_task(_finish(engine, turn, gate)): turn.turn_id for turn in found}
            if not in_hand:
                break
            ended, _ = await asyncio.wait(in_hand, timeout=RENEW_S, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                done += task.result()
                turn_id = in_hand.pop(task)
                if not task.result():
                    put_off.add(turn_id)
            # Those that end together are looked after together.
            await asyncio.sleep(_GATHER_S)
    finally:
        for task in in_hand:
            task.cancel()
    if done:
        log.info("took up abandoned turns", turns=done)
    return done


async def _finish(engine: Engine, turn: Unfinished, gate: asyncio.Semaphore) -> bool:
    try:
        if (live := engine.live.get(turn.tenant_id, turn.turn_id)) is not None:
            # Whoever brought the message again waits for it here, and brings it to its end.
            await live.result()
            return False
        async with gate:
            return await engine.take_up(turn.turn_id, turn.tenant_id)
    except Exception:
        # One turn that cannot be finished must not keep the others waiting.
        log.error("turn not taken up", turn_id=str(turn.turn_id), exc_info=True)
        return False
