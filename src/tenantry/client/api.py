"""Calls of the HTTP API by name."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

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

    async def _all(self, path: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        params: dict[str, str] = {"limit": "100"}
        while True:
            page = await self._call("GET", path, params=params)
            items.extend(page["items"])
            if page["next_cursor"] is None:
                return items
            params["cursor"] = page["next_cursor"]

    async def _call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        async with self._session.request(method, path, **arguments) as response:
            body: dict[str, Any] = await response.json(content_type=None)
            if response.status >= 400:
                raise ApiError(response.status, body)
            return body
