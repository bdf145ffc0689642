"""How to try each route: the request that reaches for a victim's things, and what each intruder must get."""

import secrets
from collections.abc import Callable

from tenantry.cli.prove.agent_cases import AGENT_CASES
from tenantry.cli.prove.bulk_cases import BULK_CASES
from tenantry.cli.prove.calendar_cases import CALENDAR_CASES
from tenantry.cli.prove.call_cases import CALL_CASES
from tenantry.cli.prove.case import ALLOWED, FORBIDDEN, NOT_FOUND, ONLY_OWN, Case, listing, word
from tenantry.cli.prove.connection_cases import CONNECTION_CASES
from tenantry.cli.prove.contact_cases import CONTACT_CASES
from tenantry.cli.prove.http import SOCKET, Request
from tenantry.cli.prove.routing_cases import ROUTING_CASES
from tenantry.cli.prove.sharing_cases import SHARING_CASES
from tenantry.cli.prove.world import Party, provider_of
from tenantry.domain.access import Scope

# Anyone may ask for these, and they tell of no tenant.
PUBLIC: dict[str, str] = {
    "GET /healthz": "whether the process is alive",
    "GET /readyz": "whether the database answers",
    "GET /openapi.json": "the description of the API",
    "GET /docs": "the same as a page",
    "GET /swagger/swagger-ui-bundle.js": "the page's script",
    "GET /swagger/swagger-ui.css": "the page's style",
    "GET /swagger/favicon-32x32.png": "the page's icon",
    "OPTIONS /api/livekit/token": "what browsers ask before they open a call",
}

# These tell of all tenants and are the operator's: no key of any tenant opens them.
OPERATOR: dict[str, str] = {"GET /metrics": "what the process has done, for all tenants"}

# What their addresses hold, or a key that is no tenant's, is what opens them; each has an attack of its own.
BY_SECRET: dict[str, str] = {
    "GET /calendar/feeds/{secret}.ics": "`feeds.attack`",
    "GET /oauth/callback": "`connections.attack`",
    "POST /calendar/webhooks/google/{ticket}": "`hooks.attack`",
    "POST /calendar/webhooks/microsoft/{ticket}": "`hooks.attack`",
    "POST /api/voice/tickets": "`voice.attack`",
    "POST /api/voice/claims": "`voice.attack`",
    "POST /api/voice/claims/lost": "`voice.attack`",
    "POST /api/voice/call/turns": "`voice.attack`",
    "GET /api/voice/call/unspoken": "`voice.attack`",
    "POST /api/voice/call/utterances": "`voice.attack`",
    "POST /api/voice/call/beat": "`voice.attack`",
    "POST /api/voice/call/end": "`voice.attack`",
    "GET /call": "`call_pages.attack`",
    "GET /call/assets/{name}": "`call_pages.attack`",
    f"{SOCKET} /api/voice/socket": "`call_pages.attack`",
    "POST /api/voice/call/recording": "`voice.attack`",
}


def _conversation(suffix: str = "") -> Callable[[Party], Request]:
    return lambda party: Request("GET", f"/api/v1/conversations/{party.conversation_id}{suffix}")


def _turn(method: str, suffix: str = "") -> Callable[[Party], Request]:
    return lambda party: Request(method, f"/api/v1/turns/{party.turn_id}{suffix}")


def _stream(party: Party) -> Request:
    return Request("GET", f"/api/v1/conversations/{party.conversation_id}/stream", {"follow": "false"})


def _socket(party: Party) -> Request:
    return Request(SOCKET, f"/api/v1/conversations/{party.conversation_id}/socket")


def _message(party: Party) -> Request:
    path = f"/api/v1/conversations/{party.conversation_id}/messages"
    return Request("POST", path, body={"text": "Which appointments do I have?"})


def _begin(party: Party) -> Request:
    body = {"agent_id": str(party.agent_id), "lead_id": party.lead_id, "external_id": party.reference}
    return Request("POST", "/api/v1/conversations", body=body)


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


def _provider(method: str, *, spare: bool = False, body: bool = False) -> Callable[[Party], Request]:
    def request(party: Party) -> Request:
        provider_id = party.spare_provider_id if spare else party.provider_id
        sent = provider_of(f"changed-{party.word}", "sk-changed") if body else None
        return Request(method, f"/api/v1/providers/{provider_id}", body=sent)

    return request


def _block(method: str, label: str = "", body: dict[str, object] | None = None) -> Callable[[Party], Request]:
    def request(party: Party) -> Request:
        path, contact = f"/api/v1/agents/{party.agent_id}/blocks{label}", {"contact": party.lead_id}
        return Request(method, path, contact) if body is None else Request(method, path, body={**body, **contact})

    return request


def _create_provider(_: Party) -> Request:
    return Request("POST", "/api/v1/providers", body=provider_of(f"made-{secrets.token_hex(4)}", "sk-made"))


def _secret(method: str, value: str | None = None) -> Callable[[Party], Request]:
    def request(party: Party) -> Request:
        query = {"owner_member_id": str(party.member_id)} if party.member_id else {}
        sent = {"value": value} if value else None
        return Request(method, f"/api/v1/secrets/{party.secret_name}", query, sent)

    return request


def _provider_id(party: Party) -> str:
    return str(party.provider_id)


def _secret_name(party: Party) -> str:
    return party.secret_name


def _usage(_: Party) -> Request:
    return Request("GET", "/api/v1/usage", {"group_by": "turn", "limit": "100"})


def _change_budget(party: Party) -> Request:
    changed = {"member_id": str(party.member_id), "monthly_tokens": party.budget - 1}
    return Request("PUT", "/api/v1/limits", body={"member_budgets": [changed]})


def _budget(party: Party) -> str:
    return str(party.budget)


def _turn_id(party: Party) -> str:
    return str(party.turn_id)


def _conversation_id(party: Party) -> str:
    return str(party.conversation_id)


# Of what deletes, a thing comes before what it is a part of.
CASES: dict[str, Case] = {
    **ROUTING_CASES,
    **BULK_CASES,
    **AGENT_CASES,
    **SHARING_CASES,
    "POST /api/agent/reply": Case(Scope.REPLY, _reply, NOT_FOUND, ALLOWED, NOT_FOUND, shows=_conversation_id),
    "GET /api/agent/config/active": Case(Scope.AGENTS_READ, _config, ONLY_OWN, ALLOWED, FORBIDDEN),
    "PUT /api/agent/config/active": Case(Scope.AGENTS_WRITE, _change_config, FORBIDDEN, FORBIDDEN, FORBIDDEN),
    "GET /api/agent/health": Case(Scope.REPLY, _health, ONLY_OWN, ALLOWED, FORBIDDEN),
    "GET /api/v1/agents/{agent_id}/blocks": Case(
        Scope.AGENTS_READ, _block("GET"), NOT_FOUND, ALLOWED, NOT_FOUND, shows=word
    ),
    "PUT /api/v1/agents/{agent_id}/blocks/{label}": Case(
        Scope.AGENTS_WRITE, _block("PUT", "/spare", {"value": "changed"}), NOT_FOUND, FORBIDDEN, NOT_FOUND
    ),
    "DELETE /api/v1/agents/{agent_id}/blocks/{label}": Case(
        Scope.AGENTS_WRITE, _block("DELETE", "/spare"), NOT_FOUND, FORBIDDEN, NOT_FOUND, control=204
    ),
    "GET /api/v1/conversations": Case(
        Scope.CONVERSATIONS_READ,
        listing("/api/v1/conversations"),
        ONLY_OWN,
        ALLOWED,
        ONLY_OWN,
        shows=_conversation_id,
    ),
    "GET /api/v1/conversations/{conversation_id}": Case(
        Scope.CONVERSATIONS_READ, _conversation(), NOT_FOUND, ALLOWED, NOT_FOUND, shows=_conversation_id
    ),
    "GET /api/v1/conversations/{conversation_id}/events": Case(
        Scope.CONVERSATIONS_READ, _conversation("/events"), NOT_FOUND, ALLOWED, NOT_FOUND, shows=word
    ),
    "GET /api/v1/conversations/{conversation_id}/stream": Case(
        Scope.CONVERSATIONS_READ, _stream, NOT_FOUND, ALLOWED, NOT_FOUND, shows=word
    ),
    f"{SOCKET} /api/v1/conversations/{{conversation_id}}/socket": Case(
        Scope.CONVERSATIONS_READ, _socket, NOT_FOUND, ALLOWED, NOT_FOUND, control=101, shows=word
    ),
    "POST /api/v1/conversations": Case(
        Scope.REPLY, _begin, NOT_FOUND, ALLOWED, NOT_FOUND, control=201, shows=_conversation_id
    ),
    "POST /api/v1/conversations/{conversation_id}/messages": Case(
        Scope.REPLY, _message, NOT_FOUND, ALLOWED, NOT_FOUND, control=202
    ),
    "GET /api/v1/turns/{turn_id}": Case(
        Scope.CONVERSATIONS_READ, _turn("GET"), NOT_FOUND, ALLOWED, NOT_FOUND, shows=_conversation_id
    ),
    "GET /api/v1/turns/{turn_id}/explain": Case(
        Scope.CONVERSATIONS_READ, _turn("GET", "/explain"), NOT_FOUND, ALLOWED, NOT_FOUND, shows=_conversation_id
    ),
    "POST /api/v1/turns/{turn_id}/cancel": Case(
        Scope.REPLY, _turn("POST", "/cancel"), NOT_FOUND, ALLOWED, NOT_FOUND, shows=_conversation_id
    ),
    "GET /api/v1/tool-calls": Case(
        Scope.CONVERSATIONS_READ, listing("/api/v1/tool-calls"), ONLY_OWN, ALLOWED, ONLY_OWN, shows=_turn_id
    ),
    **CALENDAR_CASES,
    # Providers are the tenant's, whichever party they were made for.
    "GET /api/v1/providers": Case(
        Scope.PROVIDERS_READ, listing("/api/v1/providers"), ALLOWED, ALLOWED, ONLY_OWN, shows=_provider_id
    ),
    # A stranger makes one of their own, once; the name is then taken there.
    "POST /api/v1/providers": Case(
        Scope.PROVIDERS_WRITE, _create_provider, FORBIDDEN, FORBIDDEN, frozenset({201, 403, 409}), control=201
    ),
    "GET /api/v1/providers/{provider_id}": Case(
        Scope.PROVIDERS_READ, _provider("GET"), ALLOWED, ALLOWED, NOT_FOUND, shows=_provider_id
    ),
    "PUT /api/v1/providers/{provider_id}": Case(
        Scope.PROVIDERS_WRITE, _provider("PUT", body=True), FORBIDDEN, FORBIDDEN, frozenset({403, 404})
    ),
    "DELETE /api/v1/providers/{provider_id}": Case(
        Scope.PROVIDERS_WRITE,
        _provider("DELETE", spare=True),
        FORBIDDEN,
        FORBIDDEN,
        frozenset({403, 404}),
        control=204,
    ),
    "GET /api/v1/secrets": Case(
        Scope.SECRETS_READ, listing("/api/v1/secrets"), ONLY_OWN, ALLOWED, ONLY_OWN, shows=_secret_name
    ),
    # Names are of one owner: a stranger who names no member sets a secret of their own.
    "PUT /api/v1/secrets/{name}": Case(
        Scope.SECRETS_WRITE, _secret("PUT", "sk-changed"), FORBIDDEN, ALLOWED, frozenset({200, 403, 422})
    ),
    "DELETE /api/v1/secrets/{name}": Case(
        Scope.SECRETS_WRITE, _secret("DELETE"), FORBIDDEN, ALLOWED, frozenset({204, 403, 404}), control=204
    ),
    **CONNECTION_CASES,
    # What the tenant's own agents used is for those who act for the tenant.
    "GET /api/v1/usage": Case(Scope.USAGE_READ, _usage, ONLY_OWN, ONLY_OWN, ONLY_OWN, shows=_turn_id),
    "GET /api/v1/limits": Case(Scope.USAGE_READ, listing("/api/v1/limits"), ONLY_OWN, ALLOWED, ONLY_OWN, shows=_budget),
    # Naming a member of another tenant is a wrong value for those who may set budgets at all.
    "PUT /api/v1/limits": Case(
        Scope.LIMITS_WRITE, _change_budget, FORBIDDEN, FORBIDDEN, frozenset({403, 422}), tenants_too=False
    ),
    # Before the contacts, with which calls go.
    **CALL_CASES,
    **CONTACT_CASES,
}
