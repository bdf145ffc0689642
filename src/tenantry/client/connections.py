"""What members connected at calendar providers."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from tenantry.client.transport import Transport, given

_PATH = "/api/v1/connections"
OAuthName = Literal["microsoft", "google"]


@dataclass(frozen=True, slots=True)
class Connection:
    """What somebody signed in to. No owner: it is the tenant's. `health` is ok, expiring, needs_sign_in or revoked."""

    id: UUID
    owner_member_id: UUID | None
    provider: str
    account: str
    health: str
    reason: str
    scopes: tuple[str, ...]
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Authorization:
    """A consent to be given at `authorization_url`; `cookies` belong to whoever asked, and finish it."""

    authorization_url: str = field(repr=False)
    expires_at: datetime
    cookies: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Asked:
    authorization_url: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Disconnected:
    """A connection that is gone; `detail` says what is left to do where the provider did not revoke the consent."""

    revoked: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Calendar:
    """A calendar of a connection: what the provider says of it, and what it is used for."""

    remote_id: str
    name: str
    primary: bool
    writable: bool
    counts_busy: bool
    takes_bookings: bool


@dataclass(frozen=True, slots=True)
class Calendars:
    """All calendars of a connection."""

    calendars: tuple[Calendar, ...]


class Connections:
    """`/api/v1/connections`. Every method raises ApiError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[Connection]:
        """The connections that the key can see, newest first."""
        return self._transport.pages(_PATH, Connection)

    async def authorize(
        self, provider: OAuthName, *, redirect_uri: str | None = None, owner_member_id: UUID | None = None
    ) -> Authorization:
        """Begin to connect by OAuth; the provider sends the browser to `redirect_uri` with `state` and `code`."""
        asked, cookies = await self._transport.call_with_cookies(
            "POST",
            f"{_PATH}/{provider}/authorization",
            _Asked,
            body=given(redirect_uri=redirect_uri),
            params={"owner_member_id": owner_member_id},
        )
        return Authorization(asked.authorization_url, asked.expires_at, cookies)

    async def finish(self, asked: Authorization, *, state: str, code: str = "", error: str = "") -> None:
        """Finish what `authorize` began with what the browser came back with."""
        params = {"state": state, "code": code, "error": error}
        await self._transport.send("GET", "/oauth/callback", params=params, cookies=asked.cookies)

    async def connect_caldav(
        self, url: str, username: str, password: str, *, owner_member_id: UUID | None = None
    ) -> Connection:
        """Connect a CalDAV server, in the place of the owner's one."""
        body = {"url": url, "username": username, "password": password}
        params = {"owner_member_id": owner_member_id}
        return await self._transport.call("PUT", f"{_PATH}/caldav", Connection, body=body, params=params)

    async def disconnect(self, provider: str, *, owner_member_id: UUID | None = None) -> Disconnected:
        """Remove a connection."""
        params = {"owner_member_id": owner_member_id}
        return await self._transport.call("DELETE", f"{_PATH}/{provider}", Disconnected, params=params)

    async def calendars(self, provider: str, *, owner_member_id: UUID | None = None) -> Calendars:
        """The calendars of a connection."""
        path, params = f"{_PATH}/{provider}/calendars", {"owner_member_id": owner_member_id}
        return await self._transport.call("GET", path, Calendars, params=params)

    async def choose_calendars(
        self,
        provider: str,
        *,
        counts_busy: Sequence[str],
        takes_bookings: str | None,
        owner_member_id: UUID | None = None,
    ) -> Calendars:
        """Use the calendars of a connection with these ids, and no others of it."""
        used = dict.fromkeys([*counts_busy, *([takes_bookings] if takes_bookings is not None else [])])
        body = {
            "calendars": [
                {"remote_id": each, "counts_busy": each in counts_busy, "takes_bookings": each == takes_bookings}
                for each in used
            ]
        }
        path, params = f"{_PATH}/{provider}/calendars", {"owner_member_id": owner_member_id}
        return await self._transport.call("PUT", path, Calendars, body=body, params=params)
