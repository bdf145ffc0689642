"""The calls of pages whose sockets end in this process."""

import asyncio
from pathlib import Path
from uuid import UUID

from tenantry.channels.livekit_voice.browser.bridge import Bridge
from tenantry.channels.livekit_voice.browser.hosting import CallHost
from tenantry.domain.errors import CallEnded, TooManyCalls
from tenantry.engine.resources import Resources

_Key = tuple[UUID, UUID]  # tenant, call


class BrowserCalls:
    """Every call has one bridge here from its page's first socket until it is over."""

    def __init__(self, resources: Resources, home: Path, limit: int) -> None:
        """At most `limit` calls at once."""
        self._resources = resources
        self._host = CallHost(home)
        self._limit = limit
        self._bridges: dict[_Key, Bridge] = {}
        self._running: dict[_Key, asyncio.Task[None]] = {}

    def warm(self) -> None:
        """Have what the first call needs started by now. Waits for nothing."""
        self._host.start()

    def joined(self, tenant_id: UUID, call_id: UUID, server_url: str) -> Bridge:
        """The call's bridge, which runs from now on. Raises TooManyCalls."""
        key = (tenant_id, call_id)
        if (bridge := self._bridges.get(key)) is not None:
            return bridge
        if len(self._bridges) >= self._limit:
            raise TooManyCalls
        bridge = Bridge(self._resources, self._host, tenant_id, call_id, server_url)
        self._bridges[key] = bridge
        task = self._running[key] = asyncio.create_task(bridge.run())
        task.add_done_callback(lambda _: self._forget(key))
        return bridge

    def resumed(self, token: str) -> Bridge:
        """The bridge of the call that this token resumes. Raises CallEnded."""
        for bridge in self._bridges.values():
            if bridge.resumed_by(token):
                return bridge
        raise CallEnded("This call is over; begin a new one.")

    async def close(self) -> None:
        """End every call, and the processes."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._host.close()

    def _forget(self, key: _Key) -> None:
        del self._bridges[key], self._running[key]
