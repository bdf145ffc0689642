"""How to try the routes of calls and of sites."""

from collections.abc import Callable

from tenantry.cli.prove.case import ALLOWED, FORBIDDEN, NOT_FOUND, ONLY_OWN, Case, listing, word
from tenantry.cli.prove.http import Request
from tenantry.cli.prove.world import Party
from tenantry.domain.access import Scope

_CALLS = "/api/v1/calls"
_SITES = "/api/v1/sites"


def _call(method: str, suffix: str = "") -> Callable[[Party], Request]:
    return lambda party: Request(method, f"{_CALLS}/{party.call_id}{suffix}")


def _site(method: str, body: dict[str, object] | None = None) -> Callable[[Party], Request]:
    return lambda party: Request(method, f"{_SITES}/{party.site_id}", body=body)


def _open(party: Party) -> Request:
    body = {"agentId": str(party.agent_id), "user_id": party.lead_id}
    return Request("POST", "/api/livekit/token", body=body)


def _create_site(_: Party) -> Request:
    return Request("POST", _SITES, body=_CHANGED)


def _call_id(party: Party) -> str:
    return str(party.call_id)


def _site_id(party: Party) -> str:
    return str(party.site_id)


_CHANGED: dict[str, object] = {"name": "changed", "origins": ["https://changed.example"]}

CALL_CASES: dict[str, Case] = {
    "POST /api/livekit/token": Case(Scope.REPLY, _open, NOT_FOUND, ALLOWED, NOT_FOUND),
    f"GET {_CALLS}": Case(Scope.CONVERSATIONS_READ, listing(_CALLS), ONLY_OWN, ALLOWED, ONLY_OWN, shows=_call_id),
    f"GET {_CALLS}/{{call_id}}": Case(
        Scope.CONVERSATIONS_READ, _call("GET"), NOT_FOUND, ALLOWED, NOT_FOUND, shows=word
    ),
    f"GET {_CALLS}/{{call_id}}/recording": Case(
        Scope.CONVERSATIONS_READ, _call("GET", "/recording"), NOT_FOUND, ALLOWED, NOT_FOUND, shows=word, sealed=True
    ),
    f"POST {_CALLS}/{{call_id}}/hang-up": Case(
        Scope.REPLY, _call("POST", "/hang-up"), NOT_FOUND, ALLOWED, NOT_FOUND, shows=_call_id
    ),
    # Sites are the tenant's, whichever party they were made for.
    f"GET {_SITES}": Case(
        Scope.SITES_READ, listing(_SITES), FORBIDDEN, FORBIDDEN, frozenset({200, 403}), shows=_site_id
    ),
    f"POST {_SITES}": Case(Scope.SITES_WRITE, _create_site, FORBIDDEN, FORBIDDEN, frozenset({201, 403}), control=201),
    f"PUT {_SITES}/{{site_id}}": Case(
        Scope.SITES_WRITE, _site("PUT", _CHANGED), FORBIDDEN, FORBIDDEN, frozenset({403, 404})
    ),
    f"DELETE {_SITES}/{{site_id}}": Case(
        Scope.SITES_WRITE, _site("DELETE"), FORBIDDEN, FORBIDDEN, frozenset({403, 404}), control=204
    ),
}
