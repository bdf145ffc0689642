"""What events of Microsoft Graph are here."""

import asyncio
from datetime import UTC, datetime
from typing import cast
from uuid import UUID

import msgspec
import pytest

from tenantry.calendars.microsoft.graph import Graph, MailboxGates
from tenantry.calendars.microsoft.resources import Event, remote_event
from tenantry.calendars.microsoft.time_zones import zone_named
from tenantry.calendars.wire import CalendarHttp
from tenantry.domain.booking import Interval
from tenantry.domain.ids import new_id


def _event(**others: object) -> Event:
    times = {
        name: {"dateTime": f"2026-11-24T{hour}:00:00.0000000", "timeZone": "UTC"}
        for name, hour in (("start", 15), ("end", 16))
    }
    return msgspec.convert({"id": "A", **times, **others}, Event)


@pytest.mark.parametrize(
    ("name", "iana"),
    [
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("Eastern Standard Time", "America/New_York"),
        ("India Standard Time", "Asia/Calcutta"),
        ("America/Argentina/Ushuaia", "America/Argentina/Ushuaia"),
        ("UTC", "Etc/UTC"),
        ("tzone://Microsoft/Custom", "UTC"),
        ("../../etc/passwd", "UTC"),
        ("", "UTC"),
        (None, "UTC"),
    ],
)
def test_zones_go_by_their_windows_names_and_iana_names(name: str | None, iana: str) -> None:
    assert zone_named(name).key == iana


@pytest.mark.parametrize(
    ("shown", "busy"),
    [
        ("free", False),
        ("workingElsewhere", False),
        ("tentative", True),
        ("busy", True),
        ("oof", True),
        ("unknown", True),
        (None, True),
    ],
)
def test_what_is_shown_decides_what_is_busy(shown: str | None, busy: bool) -> None:
    assert remote_event(_event(showAs=shown)).busy is busy
    assert remote_event(_event(), _event(showAs=shown)).busy is busy
    assert remote_event(_event(showAs=shown, isCancelled=True)).busy is False


@pytest.mark.parametrize(
    ("transaction", "key"),
    [
        ("0197aa60-0000-7000-8000-000000000001", UUID("0197aa60-0000-7000-8000-000000000001")),
        ("localevent:6f4c63ad-8de5-4c07-9f8d-8aa0a35aa6f0", None),
        ("", None),
        (None, None),
    ],
)
def test_a_transaction_of_another_form_is_no_key(transaction: str | None, key: UUID | None) -> None:
    assert remote_event(_event(transactionId=transaction)).key == key


def test_times_of_another_zone_than_was_asked_for_are_read_too() -> None:
    times = {
        name: {"dateTime": f"2026-11-24T{hour}:00:00", "timeZone": "W. Europe Standard Time"}
        for name, hour in (("start", 15), ("end", 16))
    }
    expected = Interval(datetime(2026, 11, 24, 14, tzinfo=UTC), datetime(2026, 11, 24, 15, tzinfo=UTC))
    assert remote_event(_event(**times)).slot == expected


def test_an_event_without_times_is_none() -> None:
    with pytest.raises(ValueError, match="without times"):
        remote_event(_event(start=None))


@pytest.mark.parametrize(
    ("link", "own"),
    [
        ("https://graph.microsoft.com/v1.0/me/calendars('A')/calendarView/delta?$deltatoken=x", True),
        ("https://graph.microsoft.com/v1.0/../beta/me", False),
        ("https://graph.microsoft.com/v1.0", False),
        ("http://graph.microsoft.com/v1.0/me", False),
        ("https://graph.microsoft.com.example/v1.0/me", False),
        ("https://graph.microsoft.com@example.com/v1.0/me", False),
        ("https://graph.microsoft.com:8443/v1.0/me", False),
        ("//graph.microsoft.com/v1.0/me", False),
        ("", False),
    ],
)
def test_links_lead_to_the_api_itself(link: str, own: bool) -> None:
    graph = Graph(cast(CalendarHttp, None), "https://graph.microsoft.com/v1.0", asyncio.Semaphore())
    assert graph.owns(link) is own


def test_a_connection_has_one_gate_for_as_long_as_it_is_used() -> None:
    gates, first, second = MailboxGates(), new_id(), new_id()
    gate = gates.of(first)
    assert gates.of(first) is gate
    assert gates.of(second) is not gate
