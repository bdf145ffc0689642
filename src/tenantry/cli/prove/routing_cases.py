"""How to try the routes of routing, which are for those who act for the whole tenant."""

from tenantry.cli.prove.case import FORBIDDEN, Case, agent_id
from tenantry.cli.prove.http import Request
from tenantry.cli.prove.world import Party
from tenantry.domain.access import Scope

# A stranger who acts for a tenant of their own gets what is there.
_OWN_OR_FORBIDDEN = frozenset({200, 403})
_PATH = "/api/v1/routing"


def rules_of(parties: tuple[Party, ...]) -> dict[str, object]:
    """Rules that lead to each party's agent by a purpose of its own, and split the rest between two of them."""
    targets = {party.purpose: {"agent_id": str(party.agent_id)} for party in parties}
    halves = zip(("a", "b"), targets.values(), strict=False)
    parts = [{"variant": variant, "weight": 50, "to": target} for variant, target in halves]
    return {"purposes": targets, "rules": [{"name": "test", "split": {"parts": parts}}]}


def _read(_: Party) -> Request:
    return Request("GET", _PATH)


def _change(_: Party) -> Request:
    return Request("PUT", _PATH, body={"revision": 1, "rules": {}})


def _dry_run(party: Party) -> Request:
    return Request("POST", f"{_PATH}/dry-run", body={"purpose": party.purpose, "lead_id": party.lead_id})


def _results(_: Party) -> Request:
    return Request("GET", f"{_PATH}/results", {"rule": "test"})


# Changing comes last, as the control really does it.
ROUTING_CASES: dict[str, Case] = {
    "GET /api/v1/routing": Case(Scope.AGENTS_READ, _read, FORBIDDEN, FORBIDDEN, _OWN_OR_FORBIDDEN, shows=agent_id),
    "POST /api/v1/routing/dry-run": Case(
        Scope.AGENTS_READ, _dry_run, FORBIDDEN, FORBIDDEN, _OWN_OR_FORBIDDEN, shows=agent_id
    ),
    "GET /api/v1/routing/results": Case(
        Scope.CONVERSATIONS_READ, _results, FORBIDDEN, FORBIDDEN, _OWN_OR_FORBIDDEN, shows=lambda _: '"variant":"a"'
    ),
    # Rules are the tenant's, and are changed once.
    "PUT /api/v1/routing": Case(
        Scope.AGENTS_WRITE, _change, FORBIDDEN, FORBIDDEN, frozenset({200, 403, 409}), tenants_too=False
    ),
}
