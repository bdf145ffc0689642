"""How to try the routes of agents."""

from collections.abc import Callable

import msgspec

from tenantry.cli.prove.case import ALLOWED, FORBIDDEN, NOT_FOUND, ONLY_OWN, Case, agent_id, listing, word
from tenantry.cli.prove.http import Request
from tenantry.cli.prove.world import Party, definition_of
from tenantry.domain.access import Scope


def _definition(word: str) -> dict[str, object]:
    return msgspec.to_builtins(definition_of(word))


def _agent(
    method: str,
    suffix: str = "",
    *,
    spare: bool = False,
    body: dict[str, object] | None = None,
    query: dict[str, str] | None = None,
) -> Callable[[Party], Request]:
    def request(party: Party) -> Request:
        of = party.spare_agent_id if spare else party.agent_id
        return Request(method, f"/api/v1/agents/{of}{suffix}", query or {}, body)

    return request


def _personals(party: Party) -> Request:
    return Request("GET", f"/api/v1/agents/{party.personal_agent_id}/personal")


def _personal(method: str, body: dict[str, object] | None = None, *, spare: bool = False) -> Callable[[Party], Request]:
    def request(party: Party) -> Request:
        of = party.spare_agent_id if spare else party.personal_agent_id
        path = f"/api/v1/agents/{of}/personal/{party.contact_id}"
        return Request(method, path, body=body)

    return request


def _create_agent(party: Party) -> Request:
    body = {"definition": _definition("made"), "owner_member_id": str(party.member_id)}
    return Request("POST", "/api/v1/agents", body=body)


_CHANGED: dict[str, object] = {"definition": _definition("changed"), "revision": 1}

AGENT_CASES: dict[str, Case] = {
    "GET /api/v1/agents/list": Case(
        Scope.AGENTS_READ, listing("/api/v1/agents/list"), ONLY_OWN, ALLOWED, ONLY_OWN, shows=agent_id
    ),
    "GET /api/v1/agents": Case(
        Scope.AGENTS_READ, listing("/api/v1/agents"), ONLY_OWN, ALLOWED, ONLY_OWN, shows=agent_id
    ),
    # Naming a member of another tenant is a wrong value for those who may make agents for others at all.
    "POST /api/v1/agents": Case(
        Scope.AGENTS_WRITE, _create_agent, FORBIDDEN, ALLOWED, frozenset({403, 422}), control=201, tenants_too=False
    ),
    "GET /api/v1/agents/{agent_id}": Case(Scope.AGENTS_READ, _agent("GET"), NOT_FOUND, ALLOWED, NOT_FOUND, shows=word),
    "GET /api/v1/agents/{agent_id}/preview": Case(
        Scope.AGENTS_READ, _agent("GET", "/preview"), NOT_FOUND, ALLOWED, NOT_FOUND, shows=word
    ),
    "PUT /api/v1/agents/{agent_id}": Case(
        Scope.AGENTS_WRITE, _agent("PUT", body=_CHANGED, spare=True), NOT_FOUND, FORBIDDEN, NOT_FOUND
    ),
    "GET /api/v1/agents/{agent_id}/versions": Case(
        Scope.AGENTS_READ, _agent("GET", "/versions"), NOT_FOUND, ALLOWED, NOT_FOUND, shows=word
    ),
    "GET /api/v1/agents/{agent_id}/versions/{number}": Case(
        Scope.AGENTS_READ, _agent("GET", "/versions/1"), NOT_FOUND, ALLOWED, NOT_FOUND, shows=word
    ),
    "POST /api/v1/agents/{agent_id}/publish": Case(
        Scope.AGENTS_WRITE, _agent("POST", "/publish", spare=True, body={}), NOT_FOUND, FORBIDDEN, NOT_FOUND
    ),
    "GET /api/v1/agents/{agent_id}/diff": Case(
        Scope.AGENTS_READ, _agent("GET", "/diff", query={"before": "1"}), NOT_FOUND, ALLOWED, NOT_FOUND
    ),
    "POST /api/v1/agents/{agent_id}/rollback": Case(
        Scope.AGENTS_WRITE,
        _agent("POST", "/rollback", spare=True, body={"version": 1}),
        NOT_FOUND,
        FORBIDDEN,
        NOT_FOUND,
    ),
    "GET /api/v1/agents/{agent_id}/personal": Case(
        Scope.AGENTS_READ, _personals, NOT_FOUND, FORBIDDEN, NOT_FOUND, shows=word
    ),
    "GET /api/v1/agents/{agent_id}/personal/{contact_id}": Case(
        Scope.AGENTS_READ, _personal("GET"), NOT_FOUND, FORBIDDEN, NOT_FOUND, shows=word
    ),
    "PUT /api/v1/agents/{agent_id}/personal/{contact_id}": Case(
        Scope.AGENTS_WRITE, _personal("PUT", {"changes": {"tonality": "changed"}}), NOT_FOUND, FORBIDDEN, NOT_FOUND
    ),
    "DELETE /api/v1/agents/{agent_id}/personal/{contact_id}": Case(
        Scope.AGENTS_WRITE, _personal("DELETE", spare=True), NOT_FOUND, FORBIDDEN, NOT_FOUND, control=204
    ),
    "DELETE /api/v1/agents/{agent_id}": Case(
        Scope.AGENTS_WRITE, _agent("DELETE", spare=True), NOT_FOUND, FORBIDDEN, NOT_FOUND, control=204
    ),
}
