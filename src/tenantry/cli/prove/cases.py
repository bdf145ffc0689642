"""How to try each route: the request that reaches for a victim's things, and what each intruder must get."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from tenantry.cli.prove.http import Request
from tenantry.cli.prove.world import Party, definition_of
from tenantry.domain.access import Scope

NOT_FOUND = frozenset({404})
FORBIDDEN = frozenset({403})
ONLY_OWN = frozenset({200})
ALLOWED: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Case:
    """One route. `request` reaches for what is the party's. `member` is what another member of the tenant must get when
    the thing is a member's, `tenants` when it is the tenant's own (empty: anything, as it is theirs too), `stranger`
    what another tenant must get. `ONLY_OWN` is an answer that must not hold the victim's. `control` is the status that
    the rightful owner gets, and `shows` a mark of theirs that the owner must then see. Without `tenants_too`, only
    members own what it reaches for."""

    scope: Scope
    request: Callable[[Party], Request]
    member: frozenset[int]
    tenants: frozenset[int]
    stranger: frozenset[int]
    control: int = 200
    shows: Callable[[Party], str] | None = None
    tenants_too: bool = True


# Anyone may ask for these, and they tell of no tenant.
PUBLIC: dict[str, str] = {
    "GET /healthz": "whether the process is alive",
    "GET /readyz": "whether the database answers",
    "GET /openapi.json": "the description of the API",
    "GET /docs": "the same as a page",
    "GET /swagger/swagger-ui-bundle.js": "the page's script",
    "GET /swagger/swagger-ui.css": "the page's style",
    "GET /swagger/favicon-32x32.png": "the page's icon",
}

# These tell of all tenants and are the operator's: no key of any tenant opens them.
OPERATOR: dict[str, str] = {"GET /metrics": "what the process has done, for all tenants"}


def _definition(word: str) -> dict[str, object]:
    return msgspec.to_builtins(definition_of(word))


def _agent(method: str, suffix: str = "", *, spare: bool = False, body: bool = False) -> Callable[[Party], Request]:
    def request(party: Party) -> Request:
        agent_id = party.spare_agent_id if spare else party.agent_id
        sent = {"definition": _definition("changed"), "revision": 1} if body else None
        return Request(method, f"/api/v1/agents/{agent_id}{suffix}", body=sent)

    return request


def _conversation(suffix: str = "") -> Callable[[Party], Request]:
    return lambda party: Request("GET", f"/api/v1/conversations/{party.conversation_id}{suffix}")


def _list(path: str) -> Callable[[Party], Request]:
    return lambda _: Request("GET", path, {"limit": "100"})


def _create_agent(party: Party) -> Request:
    body = {"definition": _definition("made"), "owner_member_id": str(party.member_id)}
    return Request("POST", "/api/v1/agents", body=body)


def _reply(party: Party) -> Request:
    body = {
        "message": "Which appointments do I have?",
        "agentId": str(party.agent_id),
        "leadId": party.lead_id,
        "conversationId": str(party.conversation_id),
    }
    return Request("POST", "/api/agent/reply", body=body)


def _config(party: Party) -> Request:
    return Request("GET", "/api/agent/config/active", {"clientId": party.slug})


def _change_config(party: Party) -> Request:
    return Request("PUT", "/api/agent/config/active", {"clientId": party.slug}, {"greeting": "changed"})


def _health(party: Party) -> Request:
    return Request("GET", "/api/agent/health", {"clientId": party.slug})


def _block(method: str, label: str = "", body: dict[str, object] | None = None) -> Callable[[Party], Request]:
    def request(party: Party) -> Request:
        path, contact = f"/api/v1/agents/{party.agent_id}/blocks{label}", {"contact": party.lead_id}
        return Request(method, path, contact) if body is None else Request(method, path, body={**body, **contact})

    return request


def _word(party: Party) -> str:
    return party.word


def _agent_id(party: Party) -> str:
    return str(party.agent_id)


def _conversation_id(party: Party) -> str:
    return str(party.conversation_id)


def _booking_id(party: Party) -> str:
    return str(party.booking_id)


# Deleting comes last in each group, as the control really does it.
CASES: dict[str, Case] = {
    "POST /api/agent/reply": Case(Scope.REPLY, _reply, NOT_FOUND, ALLOWED, NOT_FOUND, shows=_conversation_id),
    "GET /api/agent/config/active": Case(Scope.AGENTS_READ, _config, ONLY_OWN, ALLOWED, FORBIDDEN),
    "PUT /api/agent/config/active": Case(Scope.AGENTS_WRITE, _change_config, FORBIDDEN, FORBIDDEN, FORBIDDEN),
    "GET /api/agent/health": Case(Scope.REPLY, _health, ONLY_OWN, ALLOWED, FORBIDDEN),
    "GET /api/v1/agents": Case(
        Scope.AGENTS_READ, _list("/api/v1/agents"), ONLY_OWN, ALLOWED, ONLY_OWN, shows=_agent_id
    ),
    # Naming a member of another tenant is a wrong value for those who may make agents for others at all.
    "POST /api/v1/agents": Case(
        Scope.AGENTS_WRITE, _create_agent, FORBIDDEN, ALLOWED, frozenset({403, 422}), control=201, tenants_too=False
    ),
    "GET /api/v1/agents/{agent_id}": Case(Scope.AGENTS_READ, _agent("GET"), NOT_FOUND, ALLOWED, NOT_FOUND, shows=_word),
    "GET /api/v1/agents/{agent_id}/preview": Case(
        Scope.AGENTS_READ, _agent("GET", "/preview"), NOT_FOUND, ALLOWED, NOT_FOUND, shows=_word
    ),
    "PUT /api/v1/agents/{agent_id}": Case(
        Scope.AGENTS_WRITE, _agent("PUT", body=True, spare=True), NOT_FOUND, FORBIDDEN, NOT_FOUND
    ),
    "DELETE /api/v1/agents/{agent_id}": Case(
        Scope.AGENTS_WRITE, _agent("DELETE", spare=True), NOT_FOUND, FORBIDDEN, NOT_FOUND, control=204
    ),
    "GET /api/v1/agents/{agent_id}/blocks": Case(
        Scope.AGENTS_READ, _block("GET"), NOT_FOUND, ALLOWED, NOT_FOUND, shows=_word
    ),
    "PUT /api/v1/agents/{agent_id}/blocks/{label}": Case(
        Scope.AGENTS_WRITE, _block("PUT", "/spare", {"value": "changed"}), NOT_FOUND, FORBIDDEN, NOT_FOUND
    ),
    "DELETE /api/v1/agents/{agent_id}/blocks/{label}": Case(
        Scope.AGENTS_WRITE, _block("DELETE", "/spare"), NOT_FOUND, FORBIDDEN, NOT_FOUND, control=204
    ),
    "GET /api/v1/conversations": Case(
        Scope.CONVERSATIONS_READ,
        _list("/api/v1/conversations"),
        ONLY_OWN,
        ALLOWED,
        ONLY_OWN,
        shows=_conversation_id,
    ),
    "GET /api/v1/conversations/{conversation_id}": Case(
        Scope.CONVERSATIONS_READ, _conversation(), NOT_FOUND, ALLOWED, NOT_FOUND, shows=_conversation_id
    ),
    "GET /api/v1/conversations/{conversation_id}/events": Case(
        Scope.CONVERSATIONS_READ, _conversation("/events"), NOT_FOUND, ALLOWED, NOT_FOUND, shows=_word
    ),
    "GET /api/v1/calendar/events": Case(
        Scope.CALENDAR_READ, _list("/api/v1/calendar/events"), ONLY_OWN, ALLOWED, ONLY_OWN, shows=_booking_id
    ),
}
