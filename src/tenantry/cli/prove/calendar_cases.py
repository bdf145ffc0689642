"""How to try the routes of calendars."""

from collections.abc import Callable

from tenantry.cli.prove.case import ALLOWED, FORBIDDEN, NOT_FOUND, ONLY_OWN, Case, listing, word
from tenantry.cli.prove.http import Request
from tenantry.cli.prove.world import Party
from tenantry.domain.access import Scope

_PATH = "/api/v1/calendar"


def _invitation(party: Party) -> Request:
    return Request("GET", f"{_PATH}/events/{party.booking_id}/invitation.ics")


def _feed(method: str) -> Callable[[Party], Request]:
    # Of the tenant's, where no member is named, every member means their own.

    def request(party: Party) -> Request:
        return Request(method, f"{_PATH}/feed", {"owner_member_id": str(party.member_id)} if party.member_id else {})

    return request


def _booking_id(party: Party) -> str:
    return str(party.booking_id)


# Members are of one tenant: a stranger who names ours is told so, who names none has a feed of their own.
CALENDAR_CASES: dict[str, Case] = {
    f"GET {_PATH}/events": Case(
        Scope.CALENDAR_READ, listing(f"{_PATH}/events"), ONLY_OWN, ALLOWED, ONLY_OWN, shows=_booking_id
    ),
    f"GET {_PATH}/events/{{event_id}}/invitation.ics": Case(
        Scope.CALENDAR_READ, _invitation, NOT_FOUND, ALLOWED, NOT_FOUND, shows=word
    ),
    f"GET {_PATH}/feed": Case(Scope.CALENDAR_READ, _feed("GET"), FORBIDDEN, ALLOWED, frozenset({200, 403, 422})),
    f"POST {_PATH}/feed": Case(
        Scope.CALENDAR_WRITE, _feed("POST"), FORBIDDEN, ALLOWED, frozenset({201, 403, 422}), control=201
    ),
    f"DELETE {_PATH}/feed": Case(
        Scope.CALENDAR_WRITE, _feed("DELETE"), FORBIDDEN, ALLOWED, frozenset({204, 403, 404, 422}), control=204
    ),
}
