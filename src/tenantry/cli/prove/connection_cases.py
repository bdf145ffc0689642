"""How to try the routes of connections."""

from collections.abc import Callable

from tenantry.cli.prove.case import ALLOWED, FORBIDDEN, ONLY_OWN, Case, listing
from tenantry.cli.prove.http import Request
from tenantry.cli.prove.world import Party
from tenantry.domain.access import Scope

_PATH = "/api/v1/connections"


def _of_owner(method: str, suffix: str, body: dict[str, object] | None = None) -> Callable[[Party], Request]:
    def request(party: Party) -> Request:
        query = {"owner_member_id": str(party.member_id)} if party.member_id else {}
        return Request(method, f"{_PATH}{suffix}", query, body)

    return request


def _connection_id(party: Party) -> str:
    return str(party.connection_id)


_SERVER: dict[str, object] = {"url": "https://dav.invalid/", "username": "changed", "password": "changed"}

# Connections are of one owner: a stranger who names no member means one of their own.
CONNECTION_CASES: dict[str, Case] = {
    f"GET {_PATH}": Case(Scope.CONNECTIONS_READ, listing(_PATH), ONLY_OWN, ALLOWED, ONLY_OWN, shows=_connection_id),
    f"POST {_PATH}/{{provider}}/authorization": Case(
        Scope.CONNECTIONS_WRITE,
        _of_owner("POST", "/google/authorization", {}),
        FORBIDDEN,
        ALLOWED,
        frozenset({200, 403, 422}),
    ),
    f"PUT {_PATH}/caldav": Case(
        Scope.CONNECTIONS_WRITE, _of_owner("PUT", "/caldav", _SERVER), FORBIDDEN, ALLOWED, frozenset({200, 403, 422})
    ),
    f"GET {_PATH}/{{provider}}/calendars": Case(
        Scope.CONNECTIONS_READ, _of_owner("GET", "/google/calendars"), FORBIDDEN, ALLOWED, frozenset({200, 403, 404})
    ),
    f"PUT {_PATH}/{{provider}}/calendars": Case(
        Scope.CONNECTIONS_WRITE,
        _of_owner("PUT", "/google/calendars", {"calendars": []}),
        FORBIDDEN,
        ALLOWED,
        frozenset({200, 403, 404}),
    ),
    f"DELETE {_PATH}/{{provider}}": Case(
        Scope.CONNECTIONS_WRITE, _of_owner("DELETE", "/caldav"), FORBIDDEN, ALLOWED, frozenset({200, 403, 404})
    ),
}
