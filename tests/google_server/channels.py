"""Channels, by which the server tells of changes in a calendar."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp

from tests.google_server.calendars import GoogleCalendar

_NEW = {"id", "type", "address", "token", "expiration"}
_LONGEST = timedelta(days=7)


@dataclass
class Channel:
    """Who is told; `answers` are the statuses that the calls were answered with."""

    id: str
    address: str
    token: str
    ends: datetime
    resource_id: str = field(default_factory=lambda: uuid4().hex)
    number: int = 0
    answers: list[int] = field(default_factory=list[int])

    def told(self) -> dict[str, Any]:
        return {
            "kind": "api#channel",
            "id": self.id,
            "resourceId": self.resource_id,
            "resourceUri": "https://www.googleapis.com/calendar/v3/calendars/x/events?alt=json",
            "token": self.token,
            "expiration": str(int(self.ends.timestamp() * 1000)),
        }


@dataclass
class Channels:
    """Those of all accounts by id; `authorized` is whether Google calls any address at all."""

    held: dict[str, Channel] = field(default_factory=dict[str, Channel])
    calls: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    authorized: bool = True

    @asynccontextmanager
    async def calling(self) -> AsyncIterator[None]:
        """Call while inside."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as self._http:
            yield
            for call in self.calls:
                call.cancel()
            await asyncio.gather(*self.calls, return_exceptions=True)

    def open(self, body: dict[str, Any], calendar: GoogleCalendar) -> Channel:
        """A channel of the body, which has no `channel_faults`; its first call says that it begins."""
        ends = datetime.fromtimestamp(int(body["expiration"]) / 1000, UTC)
        made = Channel(body["id"], body["address"], body["token"], min(ends, datetime.now(UTC) + _LONGEST))
        self.held[made.id] = made
        calendar.listeners.append(lambda: self._tell(made, "exists"))
        self._tell(made, "sync")
        return made

    def stop(self, body: dict[str, Any]) -> bool:
        """Whether there was such a channel."""
        channel = self.held.get(body["id"])
        if channel is None or channel.resource_id != body["resourceId"]:
            return False
        del self.held[channel.id]
        return True

    def _tell(self, channel: Channel, state: str) -> None:
        if self.held.get(channel.id) is channel and datetime.now(UTC) < channel.ends:
            call = asyncio.create_task(self._call(channel, state))
            self.calls.add(call)
            call.add_done_callback(self.calls.discard)

    async def _call(self, channel: Channel, state: str) -> None:
        channel.number += 1
        headers = {
            "X-Goog-Channel-ID": channel.id,
            "X-Goog-Channel-Token": channel.token,
            "X-Goog-Channel-Expiration": format_datetime(channel.ends, usegmt=True),
            "X-Goog-Resource-ID": channel.resource_id,
            "X-Goog-Resource-URI": channel.told()["resourceUri"],
            "X-Goog-Resource-State": state,
            "X-Goog-Message-Number": str(channel.number),
        }
        async with self._http.post(channel.address, headers=headers) as answer:
            channel.answers.append(answer.status)


def channel_faults(body: dict[str, Any], held: dict[str, Channel]) -> list[str]:
    """What is wrong with a channel that is to be opened."""
    if body.keys() != _NEW or not all(isinstance(value, str) for value in body.values()):
        return [f"a channel of {sorted(body)}"]
    faults: list[str] = []
    if not re.fullmatch(r"[A-Za-z0-9\-_+/=]{1,64}", body["id"]) or body["id"] in held:
        faults.append("channelIdNotUnique, or no id")
    if body["type"] != "web_hook" or not 1 <= len(body["token"]) <= 256:
        faults.append("a type or a token of another form")
    address = urlsplit(body["address"])
    # Of Google, https alone; of a test's own machine, http.
    if address.scheme != "https" and address.hostname != "127.0.0.1":
        faults.append("push.webhookUrlNotHttps")
    if not body["expiration"].isdigit() or int(body["expiration"]) / 1000 <= datetime.now(UTC).timestamp():
        faults.append("an expiration that is over, or not in milliseconds")
    return faults
