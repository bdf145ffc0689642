"""The interface of every calendar at a provider."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable

from tenantry.domain.booking import Interval
from tenantry.domain.calendar import Appointment, CalendarChoice, Changes, RemoteEvent, Watch
from tenantry.domain.connection import Access as Access


class Credentials(Protocol):
    """The credential of one connection, renewed when it is due."""

    async def access(self) -> Access:
        """What works now. Raises ConnectionBroken, and CalendarUnavailable when it cannot be renewed for now."""
        ...

    async def renew(self, refused: Access) -> Access:
        """Another than the one that the provider refused (401). Raises ConnectionBroken when there is none, and
        CalendarUnavailable."""
        ...

    async def broken(self, reason: str, *, revoked: bool = False) -> None:
        """Keep that the provider does not accept the credential, for the owner to read; `reason` is a short text
        without secrets such as "HTTP 403 insufficient_claims"."""
        ...


class CalendarProvider(Protocol):
    """The calendars of one connection. `calendar` is a `CalendarChoice.remote_id`; windows are in UTC.

    Every method raises CalendarUnavailable for what may pass (no answer, 429, 5xx; with `retry_after` in seconds where
    the provider says it), ConnectionBroken when its owner has to sign in again, and CalendarRefused for what will not
    become possible by itself. After CalendarUnavailable a change may have been made or not: the same call again is the
    same change.
    """

    async def account(self) -> str:
        """As whom the connection is signed in, such as an e-mail address."""
        ...

    async def calendars(self) -> list[CalendarChoice]:
        """The calendars that the account can read."""
        ...

    async def events(self, calendar: str, window: Interval) -> list[RemoteEvent]:
        """What overlaps the window: single events, occurrences of recurring ones, all-day ones; the free ones too."""
        ...

    async def busy(self, calendars: Sequence[str], window: Interval) -> list[Interval]:
        """When any of the calendars is not free in the window; intervals may overlap and reach out of it."""
        ...

    async def create(self, calendar: str, appointment: Appointment) -> RemoteEvent:
        """The event of the appointment's key, made unless it exists. One that was deleted at the provider under this
        key is not made again: raises CalendarRefused."""
        ...

    async def find(self, calendar: str, appointment: Appointment) -> RemoteEvent | None:
        """The event of the appointment's key, None when there is none or it was deleted. Only the key and the slot are
        used."""
        ...

    async def change(self, calendar: str, remote_id: str, appointment: Appointment) -> RemoteEvent | None:
        """Bring the event to the appointment's slot and words; None when it does not exist any more."""
        ...

    async def cancel(self, calendar: str, remote_id: str) -> None:
        """Take the event away, telling its attendees; nothing when it is gone already."""
        ...

    async def changes(self, calendar: str, token: str | None) -> Changes:
        """What changed since `token` was given out; without one, or with one that the provider does not know any more,
        all from now on, with `whole`. Events that are over may be left out."""
        ...


@dataclass(frozen=True, slots=True)
class WebHook:
    """Where a provider is to call, and the `secret` that it says there; neither is to be told to anybody else."""

    url: str = field(repr=False)
    secret: str = field(repr=False)


@runtime_checkable
class Watchable(Protocol):
    """A CalendarProvider that can tell of changes. What it calls with says nothing that is relied upon: the changes
    are asked for. Every method raises as those of CalendarProvider do."""

    async def watch(self, calendar: str, hook: WebHook, until: datetime) -> Watch:
        """Have `hook` called whenever an event of the calendar is changed or deleted, until about `until`. It may be
        called before this answers; after CalendarUnavailable it may go on being called until then."""
        ...

    async def renew(self, watch: Watch, until: datetime) -> Watch | None:
        """Have the watch last until about `until`; None when that cannot be, and another one is to be made."""
        ...

    async def unwatch(self, watch: Watch) -> None:
        """End the watch; nothing when it has ended already."""
        ...
