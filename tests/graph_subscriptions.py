"""Subscriptions of the strict Microsoft Graph of tests: it tries their addresses, and calls them on changes."""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import aiohttp
from aiohttp import web

from tests.graph_mailbox import Mailbox
from tests.graph_requests import MAILBOX, GraphError, WrongRequest, body_of, query_of

_LONGEST = timedelta(minutes=4230)
_RESOURCE = re.compile(r"/?me/calendars/([^/]+)/events")
_PATIENCE = aiohttp.ClientTimeout(total=10)
_NEW = {"changeType", "notificationUrl", "resource", "expirationDateTime", "clientState"}


@dataclass
class Subscription:
    """Who is told of what; `answers` are the statuses that the calls were answered with."""

    mailbox: Mailbox
    calendar: str
    kinds: frozenset[str]
    url: str
    client_state: str
    ends: datetime
    id: str = field(default_factory=lambda: str(uuid4()))
    answers: list[int] = field(default_factory=list[int])

    def told(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "resource": f"me/calendars/{self.calendar}/events",
            "changeType": ",".join(sorted(self.kinds)),
            "notificationUrl": self.url,
            "clientState": None,
            "expirationDateTime": f"{self.ends:%Y-%m-%dT%H:%M:%S}.0000000Z",
        }


@dataclass
class Subscriptions:
    """Those of all mailboxes by id."""

    held: dict[str, Subscription] = field(default_factory=dict[str, Subscription])
    calls: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    @asynccontextmanager
    async def calling(self) -> AsyncIterator[None]:
        """Call while inside."""
        async with aiohttp.ClientSession(timeout=_PATIENCE) as self._http:
            yield
            for call in self.calls:
                call.cancel()
            await asyncio.gather(*self.calls, return_exceptions=True)

    async def create(self, request: web.Request) -> web.Response:
        query_of(request, allowed="")
        body = await body_of(request)
        if body.keys() != _NEW:
            raise WrongRequest(f"a subscription of {sorted(body)}")
        found = _RESOURCE.fullmatch(body["resource"])
        kinds = frozenset(body["changeType"].split(","))
        address = urlsplit(body["notificationUrl"])
        if found is None or not kinds <= {"created", "updated", "deleted"} or not 1 <= len(body["clientState"]) <= 128:
            raise WrongRequest("a subscription of another form")
        # Of Graph, https alone; of a test's own machine, http.
        if address.scheme != "https" and address.hostname != "127.0.0.1":
            raise WrongRequest("a notificationUrl that is not https")
        mailbox, calendar = request[MAILBOX], unquote(found[1])
        if calendar not in mailbox.calendars:
            raise GraphError(404, "ErrorItemNotFound")
        made = Subscription(
            mailbox, calendar, kinds, body["notificationUrl"], body["clientState"], _end(body["expirationDateTime"])
        )
        await self._validate(made)
        self.held[made.id] = made
        mailbox.listeners.append(lambda calendar, kind: self._changed(made, calendar, kind))
        return web.json_response({**made.told(), "clientState": made.client_state}, status=201)

    async def prolong(self, request: web.Request) -> web.Response:
        query_of(request, allowed="")
        body = await body_of(request)
        if body.keys() != {"expirationDateTime"}:
            raise WrongRequest(f"a subscription changed by {sorted(body)}")
        subscription = self._own(request)
        subscription.ends = _end(body["expirationDateTime"])
        return web.json_response(subscription.told())

    async def delete(self, request: web.Request) -> web.Response:
        query_of(request, allowed="")
        del self.held[self._own(request).id]
        return web.Response(status=204)

    def _own(self, request: web.Request) -> Subscription:
        subscription = self.held.get(request.match_info["subscription"])
        if subscription is None or subscription.mailbox is not request[MAILBOX]:
            raise GraphError(404, "ResourceNotFound")
        return subscription

    async def _validate(self, subscription: Subscription) -> None:
        """The address has to say what it is sent, as plain text, within ten seconds."""
        token = f"Validation: Testing client application reachability for <{secrets.token_hex(8)}> & more+"
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        try:
            async with self._http.post(subscription.url, params={"validationToken": token}, headers=headers) as answer:
                told = answer.status, answer.content_type, await answer.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise GraphError(400, "InvalidRequest") from error
        if told != (200, "text/plain", token):
            raise GraphError(400, "InvalidRequest")

    def _changed(self, subscription: Subscription, calendar: str, kind: str) -> None:
        there = self.held.get(subscription.id) is subscription and datetime.now(UTC) < subscription.ends
        if there and calendar == subscription.calendar and kind in subscription.kinds:
            call = asyncio.create_task(self._call(subscription, kind))
            self.calls.add(call)
            call.add_done_callback(self.calls.discard)

    async def _call(self, subscription: Subscription, kind: str) -> None:
        notification = {
            "subscriptionId": subscription.id,
            "subscriptionExpirationDateTime": subscription.told()["expirationDateTime"],
            "changeType": kind,
            "resource": "Users/1/Events/2",
            "resourceData": {"@odata.type": "#Microsoft.Graph.Event", "@odata.id": "Users/1/Events/2", "id": "2"},
            "clientState": subscription.client_state,
            "tenantId": "3",
        }
        async with self._http.post(subscription.url, json={"value": [notification]}) as answer:
            subscription.answers.append(answer.status)


def _end(text: str) -> datetime:
    end, now = datetime.fromisoformat(text), datetime.now(UTC)
    if end.tzinfo is None or not now < end <= now + _LONGEST:
        raise WrongRequest(f"an end of a subscription: {text}")
    return end
