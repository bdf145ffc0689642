"""Looks after calls whose agent is dead or never came, and ends those that nobody is in."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from uuid import UUID

import structlog

from tenantry.channels.livekit_voice.channel import VoiceChannel
from tenantry.channels.livekit_voice.verdicts import (
    Dispatch,
    End,
    Nothing,
    Verdict,
    Watch,
    is_well,
    of_room,
    of_socket,
    unknown,
)
from tenantry.credentials.call_tickets import Ticket
from tenantry.domain.call import Call, EndReason
from tenantry.domain.errors import DatabaseUnavailable, LiveKitUnavailable
from tenantry.storage.repositories import calls
from tenantry.storage.tenancy import Database

log = structlog.get_logger()

_EVERY_S = 1.0
# Whoever was kept from running for so long has not read yet what processes said meanwhile.
_LATE_S = 1.0
_MOST_CALLS = 10_000
_AT_ONCE = 8


class Watcher:
    """Watches the calls of all tenants for one server process. Several may watch the same ones: of those who want an
    agent for a call, the database lets one ask."""

    def __init__(self, db: Database, voice: VoiceChannel) -> None:
        self._db = db
        self._voice = voice
        self._watches: dict[tuple[UUID, UUID], Watch] = {}  # by tenant and call
        self._asking = asyncio.Semaphore(_AT_ONCE)
        self._away = False

    async def run_for_ever(self) -> None:
        """Look every second."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _EVERY_S
            await asyncio.sleep(_EVERY_S)
            if loop.time() - due > _LATE_S:
                continue
            try:
                await self.look()
            except DatabaseUnavailable:
                continue
            # A broad net on purpose: one that has ended would leave every caller alone.
            except Exception as error:
                log.error("calls cannot be watched", exc_info=error)

    async def look(self) -> None:
        """Do what is to be done about every call now. Raises DatabaseUnavailable."""
        async with self._db.operator() as tx:
            live = await calls.live(tx, _MOST_CALLS)
        self._watches = {key: self._watches.get(key) or Watch() for key in live}
        for tenant_id in dict.fromkeys(tenant_id for tenant_id, _ in live):
            async with self._db.tenant(tenant_id) as tx:
                found, now = await calls.live_of_tenant(tx)
            await self._look_after([call for call in found if not is_well(call, now)], now)

    async def _look_after(self, found: Sequence[Call], now: datetime) -> None:
        async def one(call: Call) -> None:
            async with self._asking:
                await self._do(call, await self._verdict(call, now))

        await asyncio.gather(*(one(call) for call in found))

    async def _verdict(self, call: Call, now: datetime) -> Verdict:
        watch, rooms = self._watches.setdefault((call.tenant_id, call.id), Watch()), self._voice.rooms
        if call.transport == "websocket":
            return of_socket(call, watch, now)
        if rooms is None:
            return unknown(call, watch, now)
        try:
            present = await rooms.participants(call.room)
        except LiveKitUnavailable as error:
            self._tell_away(str(error))
            return unknown(call, watch, now)
        self._tell_back()
        if call.participant in present.callers:
            async with self._db.tenant(call.tenant_id) as tx:
                await calls.caller_seen(tx, call.id)
        return of_room(call, present, watch, now)

    async def _do(self, call: Call, verdict: Verdict) -> None:
        match verdict:
            case Nothing():
                pass
            case Dispatch():
                with suppress(LiveKitUnavailable):
                    await self._dispatch(call, verdict)
            case End(reason):
                await self._end(call, reason)

    async def _dispatch(self, call: Call, wanted: Dispatch) -> None:
        rooms = self._voice.rooms
        if rooms is None:
            return
        async with self._db.tenant(call.tenant_id) as tx:
            number = await calls.dispatched(tx, call.id, not_since=wanted.not_since)
        if number is None:
            return
        self._watches[call.tenant_id, call.id].dispatches += 1
        log.info("a call has no agent, another one is asked for", call_id=str(call.id), dispatch=number)
        for identity in wanted.dead:
            await rooms.remove(call.room, identity)
        await rooms.dispatch(call.room, self._voice.tickets.seal(Ticket(call.tenant_id, call.id, number)))

    async def _end(self, call: Call, reason: EndReason) -> None:
        async with self._db.tenant(call.tenant_id) as tx:
            ended = await calls.end(tx, call.id, reason)
        if ended:
            log.info("a call is ended", call_id=str(call.id), reason=str(reason))
            await self._voice.leave(call)

    def _tell_away(self, error: str) -> None:
        if not self._away:
            log.warning("the LiveKit server is away, nobody's calls are ended for that", error=error)
        self._away = True

    def _tell_back(self) -> None:
        if self._away:
            log.info("the LiveKit server is back")
        self._away = False
