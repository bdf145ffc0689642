"""How to try the routes of many agents, of the starting set and of the audit log."""

from tenantry.cli.prove.case import FORBIDDEN, ONLY_OWN, Case, agent_id, word
from tenantry.cli.prove.http import Request
from tenantry.cli.prove.world import Party
from tenantry.domain.access import Scope

# They change their own tenant, or may not.
_IN_THEIR_OWN = frozenset({200, 403})


def _bulk(party: Party) -> Request:
    body = {"select": {"ids": [str(party.spare_agent_id)]}, "action": {"tag": {"add": ["tried"]}}}
    return Request("POST", "/api/v1/agents/bulk", body=body)


def _set_up(_: Party) -> Request:
    return Request("POST", "/api/v1/agents/setup", body={"types": ["support"]})


def _audit(party: Party) -> Request:
    return Request("GET", "/api/v1/audit", {"target": f"agent:{party.agent_id}"})


BULK_CASES: dict[str, Case] = {
    # Who may not change an agent is told so for each, and nothing else of it.
    "POST /api/v1/agents/bulk": Case(Scope.AGENTS_WRITE, _bulk, ONLY_OWN, ONLY_OWN, ONLY_OWN, shows=word),
    "POST /api/v1/agents/setup": Case(Scope.AGENTS_WRITE, _set_up, FORBIDDEN, FORBIDDEN, _IN_THEIR_OWN),
    "GET /api/v1/audit": Case(Scope.AUDIT_READ, _audit, FORBIDDEN, FORBIDDEN, _IN_THEIR_OWN, shows=agent_id),
}
