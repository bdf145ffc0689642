"""Calendars as Google keeps them: event resources, occurrences, and what changed since when."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

Resource = dict[str, Any]
Span = tuple[datetime, datetime]
_WEEK = timedelta(days=7)


@dataclass
class GoogleCalendar:
    """One calendar; `events` are resources by id, deleted ones among them, `versions` when each was changed last."""

    id: str
    summary: str
    time_zone: str = "Europe/Berlin"
    role: str = "owner"
    primary: bool = False
    events: dict[str, Resource] = field(default_factory=dict[str, Resource])
    versions: dict[str, int] = field(default_factory=dict[str, int])
    version: int = 0
    tokens: dict[str, tuple[int, datetime]] = field(default_factory=dict[str, tuple[int, datetime]])
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    listeners: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])

    def put(self, event: Resource) -> Resource:
        """Keep the event as it is now, under a new version."""
        self.version += 1
        event.setdefault("id", f"google{next(self.numbers):020d}")
        event.setdefault("status", "confirmed")
        event["etag"] = f'"{self.version}"'
        event["iCalUID"] = f"{event['id']}@google.com"
        event["kind"] = "calendar#event"
        self.events[event["id"]] = event
        self.versions[event["id"]] = self.version
        for listener in self.listeners:
            listener()
        return event

    def cancel(self, event_id: str) -> None:
        """Delete the event; it can be read for some weeks more."""
        self.put({**self.events[event_id], "status": "cancelled"})

    def token(self, since: datetime) -> str:
        """A new token for what changes from now on, of events that end after `since`."""
        made = f"sync-{next(self.numbers)}-{self.id}"
        self.tokens[made] = (self.version, since)
        return made

    def changed(self, version: int) -> list[Resource]:
        """The events that changed after the version, in the order in which they did."""
        after = sorted((self.versions[one], one) for one in self.events if self.versions[one] > version)
        return [self.events[one] for _, one in after]

    def occurrences(self, event: Resource) -> Iterator[Resource]:
        """The event itself or, of a weekly one, its instances; dates and times are as Google answers them."""
        zone = ZoneInfo(self.time_zone)
        if event["status"] == "cancelled" or "recurrence" not in event:
            yield self._answered(event, zone)
            return
        [rule] = event["recurrence"]
        own = ZoneInfo(event["start"]["timeZone"])
        start, end = (instant(event[side], zone).astimezone(own) for side in ("start", "end"))
        for week in range(int(rule.removeprefix("RRULE:FREQ=WEEKLY;COUNT="))):
            # Aware arithmetic within a zone keeps the wall time.
            spans = {"start": start + week * _WEEK, "end": end + week * _WEEK}
            instance = {
                **{name: value for name, value in event.items() if name != "recurrence"},
                "id": f"{event['id']}_{spans['start'].astimezone(UTC):%Y%m%dT%H%M%SZ}",
                "recurringEventId": event["id"],
                **{side: {**event[side], "dateTime": at.isoformat()} for side, at in spans.items()},
            }
            yield self._answered(instance, zone)

    def _answered(self, event: Resource, zone: ZoneInfo) -> Resource:
        answered = deepcopy(event)
        for side in ("start", "end"):
            if "dateTime" in answered.get(side, {}):
                answered[side]["dateTime"] = instant(answered[side], zone).astimezone(zone).isoformat()
        return answered

    def span(self, event: Resource) -> Span:
        """When the event is, in UTC."""
        zone = ZoneInfo(self.time_zone)
        return instant(event["start"], zone), instant(event["end"], zone)

    def live(self) -> Iterator[Resource]:
        """All occurrences that are not cancelled, by when they start."""
        every = (each for event in self.events.values() for each in self.occurrences(event))
        yield from sorted((each for each in every if each["status"] != "cancelled"), key=self.span)

    def busy(self, window: Span) -> list[Span]:
        """When it is busy, cut at the window, overlapping times as one."""
        merged: list[Span] = []
        for event in self.live():
            start, end = self.span(event)
            if not _is_busy(event) or end <= window[0] or start >= window[1]:
                continue
            start, end = max(start, window[0]), min(end, window[1])
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return merged


def instant(when: Resource, zone: ZoneInfo) -> datetime:
    """The UTC instant of a `start` or `end`; one of a wall time without offset is of its own zone."""
    if "date" in when:
        return datetime.combine(date.fromisoformat(when["date"]), time(), zone).astimezone(UTC)
    at = datetime.fromisoformat(when["dateTime"])
    return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(when["timeZone"]))).astimezone(UTC)


def _is_busy(event: Resource) -> bool:
    declined = any(one.get("self") and one.get("responseStatus") == "declined" for one in event.get("attendees", ()))
    return event.get("transparency") != "transparent" and not declined
