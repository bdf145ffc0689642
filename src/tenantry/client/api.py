"""Calls of the HTTP API by name."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from tenantry.client.routing import Routing
from tenantry.client.transport import Transport

_TIMEOUT = aiohttp.ClientTimeout(total=90)


class ApiError(Exception):
    """The API answered with a problem (RFC 9457); `body` is it."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        self.status = status
        self.body = body
        super().__init__(f"{status} {body.get('code', '')}: {body.get('detail', '')}")


class TenantryClient:
    """One server, one API key."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self.routing = Routing(Transport(session, ""))

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, key: str) -> AsyncGenerator["TenantryClient"]:
        """A client of the server at `url`, which begins with http:// or https://."""
        headers = {"Authorization": f"Bearer {key}"}
        async with aiohttp.ClientSession(url, headers=headers, timeout=_TIMEOUT) as session:
            yield cls(session)

    async def reply(self, message: str, **fields: Any) -> dict[str, Any]:
        """`POST /api/agent/reply`; `fields` are those of its body, such as conversationId. Raises ApiError."""
        return await self._call("POST", "/api/agent/reply", json={"message": message, **fields})

    async def explain(self, turn_id: str) -> dict[str, Any]:
        """How a turn came about. Raises ApiError."""
        return await self._call("GET", f"/api/v1/turns/{turn_id}/explain")

    async def agents(self) -> list[dict[str, Any]]:
        """All agents that the key can see. Raises ApiError."""
        return await self._all("/api/v1/agents")

    async def calendar_events(self) -> list[dict[str, Any]]:
        """All coming appointments in the calendars that the key can see. Raises ApiError."""
        return await self._all("/api/v1/calendar/events")

    async def usage(self, group_by: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """This month's usage that the key can see: in all, and by what it is grouped by. Raises ApiError."""
        first, items = await self._pages("/api/v1/usage", group_by=group_by)
        return first["total"], items

    async def _all(self, path: str) -> list[dict[str, Any]]:
        return (await self._pages(path))[1]

    async def _pages(self, path: str, **query: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The first page, and the items of all pages."""
        items: list[dict[str, Any]] = []
        params: dict[str, str] = {"limit": "100", **query}
        first: dict[str, Any] | None = None
        while True:
            page = await self._call("GET", path, params=params)
            first = first or page
            items.extend(page["items"])
            if page["next_cursor"] is None:
                return first, items
            params["cursor"] = page["next_cursor"]

    async def _call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        async with self._session.request(method, path, **arguments) as response:
            body: dict[str, Any] = await response.json(content_type=None)
            if response.status >= 400:
                raise ApiError(response.status, body)
            return body
