"""Checks that keep members and tenants apart, each as it would be without, and how the proof must tell of it."""

from types import SimpleNamespace
from typing import Any
from uuid import UUID

from tenantry.api.agents import bulk
from tenantry.api.agents import clones as clone_routes
from tenantry.api.agents import routes as agent_routes
from tenantry.api.agents import shares as share_routes
from tenantry.api.audit import routes as audit_routes
from tenantry.api.calendars import feeds as feed_routes
from tenantry.api.calendars import routes as calendar_routes
from tenantry.api.calendars import webhooks
from tenantry.api.connections import calendars as connection_calendars
from tenantry.api.connections import routes as connection_routes
from tenantry.api.contacts import routes as contact_routes
from tenantry.api.conversations import routes as conversation_routes
from tenantry.api.conversations import socket
from tenantry.api.lifecycle import routes as lifecycle_routes
from tenantry.api.members import routes as member_routes
from tenantry.api.memory import routes as memory_routes
from tenantry.api.providers import routes as provider_routes
from tenantry.api.routing import routes as routing_routes
from tenantry.api.secrets import routes as secret_routes
from tenantry.api.turns import routes as turn_routes
from tenantry.channels.http_reply import routes as reply_routes
from tenantry.domain.access import Principal
from tenantry.domain.agent import AgentRecord
from tenantry.domain.conversation import Conversation, Turn
from tenantry.domain.errors import NotFound
from tenantry.domain.lifecycle import Contact
from tenantry.domain.routing import Target
from tenantry.domain.tools import ToolResult
from tenantry.engine.live import LiveTurn, LiveTurns
from tenantry.storage.repositories import (
    agent_versions,
    agents,
    calendar_feeds,
    consents,
    contact_records,
    conversations,
    invitations,
    routing,
    turns,
)
from tenantry.storage.repositories.calendar_feeds import FeedCalendar
from tenantry.storage.repositories.invitations import Invitee
from tenantry.storage.tenancy import TenantTx
from tenantry.tools import registry as tool_registry
from tenantry.tools.hand_off import tool as hand_off


async def _any_agent(tx: TenantTx, agent_id: UUID, who: Principal) -> AgentRecord:
    agent = await agents.get(tx, agent_id, sees_only=None)
    if agent is None:
        raise NotFound
    return agent


async def _anyones_serving(tx: TenantTx, agent_id: UUID, *, sees_only: UUID | None) -> object:
    return await _serving(tx, agent_id, sees_only=None)


async def _any_conversation(tx: TenantTx, conversation_id: UUID, who: Principal) -> Conversation:
    conversation = await conversations.get(tx, conversation_id, sees_only=None)
    if conversation is None:
        raise NotFound
    return conversation


_take = consents.take


async def _consent_of_any_session(tx: TenantTx, *, state_hash: bytes, session_hash: bytes) -> object:
    anyones = "UPDATE consents SET session_hash = $3 WHERE tenant_id = $1 AND state_hash = $2"
    await tx.execute(anyones, tx.tenant_id, state_hash, session_hash)
    return await _take(tx, state_hash=state_hash, session_hash=session_hash)


async def _conversation_of_anyone(tx: TenantTx, conversation_id: UUID, *, sees_only: UUID | None) -> object:
    return await conversations.get(tx, conversation_id, sees_only=None)


_lock = conversations.lock
_serving = agent_versions.serving


async def _lock_anyones(tx: TenantTx, conversation_id: UUID, *, sees_only: UUID | None) -> object:
    return await _lock(tx, conversation_id, sees_only=None)


async def _any_turn(tx: TenantTx, turn_id: UUID, who: Principal) -> tuple[Turn, Conversation]:
    turn = await turns.get(tx, turn_id)
    if turn is None:
        raise NotFound
    return turn, await _any_conversation(tx, turn.conversation_id, who)


async def _any_memory(tx: TenantTx, agent_id: UUID, who: Principal, *, changes: bool) -> None:
    await _any_agent(tx, agent_id, who)


async def _any_contact(tx: TenantTx, contact_id: UUID, who: Principal) -> Contact:
    contact = await contact_records.get(tx, contact_id, sees_only=None)
    if contact is None:
        raise NotFound
    return contact


async def _any_event(tx: TenantTx, event_id: UUID, who: Principal) -> Invitee:
    invitee = await invitations.get(tx, event_id)
    if invitee is None:
        raise NotFound
    return invitee


async def _any_feed(tx: TenantTx, _: bytes) -> FeedCalendar | None:
    calendar_id = await tx.value("SELECT id FROM calendars WHERE tenant_id = $1 LIMIT 1", tx.tenant_id)
    return calendar_id and FeedCalendar(calendar_id, "Anybody")


async def _anyones_feed(tx: TenantTx, who: Principal, asked: UUID | None) -> UUID | None:
    return asked or who.member_id


def _any_client(client_id: str | None, who: Principal) -> None:
    return None


def _anyone(who: Principal) -> None:
    return None


def _any_owner(who: Principal, asked: UUID | None) -> UUID | None:
    return asked or who.member_id


def _running_of_any_tenant(live: LiveTurns, tenant_id: UUID, conversation_id: UUID) -> LiveTurn | None:
    found = (turns for (_, of), turns in live._of_conversation.items() if of == conversation_id)
    return next((turn for turns in found for turn in turns if turn.begun), None)


async def _any_user(context: Any, request: Any, given: Any) -> Any:
    tool = tool_registry._TOOLS.get(request.name)
    return await tool.run(context, request.arguments) if tool else ToolResult({"status": "ok"})


async def _anyones_agents(tx: TenantTx, targets: Any, *, sees_only: UUID | None, **more: Any) -> object:
    return await _agents_of(tx, targets, sees_only=None, **more)


_agents_of = routing.agents_of


async def _anyones_target(tx: TenantTx, target: Target, _: UUID | None) -> object:
    return await _serving(tx, target.agent_id, sees_only=None)


# A check that is taken out of the code, and how the proof must name the route, the stream or the tool that lost it.
UNCHECKED: tuple[tuple[object, str, Any, tuple[str, ...]], ...] = (
    (
        routing_routes,
        "require_whole_tenant",
        lambda _: None,
        (
            "GET /api/v1/routing of a member as the other member: 200",
            "POST /api/v1/routing/dry-run of a member as the other member: 200",
            "GET /api/v1/routing/results of a member as the other member: 200",
            "PUT /api/v1/routing of a member as the other member: 200",
        ),
    ),
    (
        routing,
        "agents_of",
        _anyones_agents,
        ("POST /api/agent/reply, purpose leads to a member's agent as the other member: 200, the victim's agent",),
    ),
    (hand_off, "_reachable", _anyones_target, ("hand_off to a member's agent as agent of second",)),
    (
        agent_routes,
        "visible",
        _any_agent,
        (
            "GET /api/v1/agents/{agent_id} of a member as the other member: 200",
            "GET /api/v1/agents/{agent_id}/preview of a member as a viewer's key: 200",
        ),
    ),
    (
        bulk,
        "changeable",
        _any_agent,
        (
            "POST /api/v1/agents/bulk of a member as the other member: 200, with the victim's",
            "POST /api/v1/agents/bulk of the tenant as the other member: 200, with the victim's",
        ),
    ),
    (audit_routes, "_require_whole_tenant", _anyone, ("GET /api/v1/audit of a member as the other member: 200",)),
    (
        clone_routes,
        "visible",
        _any_agent,
        (
            "GET /api/v1/agents/{agent_id}/origin of a member as the other member: 200",
            "POST /api/v1/agents/{agent_id}/clones of a member as the other member: 201",
            "POST /api/v1/agents/{agent_id}/clones/update of a member as the other member: 200",
        ),
    ),
    (
        clone_routes,
        "changeable",
        _any_agent,
        ("POST /api/v1/agents/{agent_id}/origin/update of a member as the other member: 200",),
    ),
    (
        share_routes,
        "owned",
        _any_agent,
        (
            "GET /api/v1/agents/{agent_id}/shares of a member as the other member: 200",
            "PUT /api/v1/agents/{agent_id}/shares/{member_id} of the tenant as the other member: 200",
            "DELETE /api/v1/agents/{agent_id}/shares/{member_id} of a member as the other member: 204",
            "POST /api/v1/agents/{agent_id}/owner of a member as the other member: 200",
        ),
    ),
    (
        member_routes,
        "_require_whole_tenant",
        _anyone,
        (
            "GET /api/v1/members of a member as the other member: 200",
            "POST /api/v1/members/{member_id}/hand-over of a member as the other member: 200",
        ),
    ),
    (
        agent_versions,
        "serving",
        _anyones_serving,
        ("POST /api/v1/conversations of a member as the other member: 201",),
    ),
    (
        conversation_routes,
        "_visible",
        _any_conversation,
        (
            "GET /api/v1/conversations/{conversation_id} of a member as the other member: 200",
            "GET /api/v1/conversations/{conversation_id}/events of a member as the other member: 200",
            "GET /api/v1/conversations/{conversation_id}/stream of a member as the other member: 200",
            "/stream after 0, the victim's, while the victim's turn runs as second of",
        ),
    ),
    (
        socket,
        "conversations",
        SimpleNamespace(get=_conversation_of_anyone),
        ("APIWebSocketRoute /api/v1/conversations/{conversation_id}/socket of a member as the other member: 101",),
    ),
    (
        conversations,
        "lock",
        _lock_anyones,
        ("POST /api/v1/conversations/{conversation_id}/messages of a member as the other member: 202",),
    ),
    (
        turn_routes,
        "_visible",
        _any_turn,
        (
            "GET /api/v1/turns/{turn_id} of a member as the other member: 200",
            "GET /api/v1/turns/{turn_id}/explain of a member as the other member: 200",
            "POST /api/v1/turns/{turn_id}/cancel of a member as the other member: 200",
            "/cancel, the victim's, while the victim's turn runs as second of",
        ),
    ),
    (
        LiveTurns,
        "running",
        _running_of_any_tenant,
        (
            "/stream, of its own twin, while the victim's turn runs as another tenant's owner: 200, with "
            "the other turn",
            "/socket, of its own twin, while the victim's turn runs as another tenant's owner: 101, with "
            "the other turn",
        ),
    ),
    (
        memory_routes,
        "_require_agent",
        _any_memory,
        (
            "GET /api/v1/agents/{agent_id}/blocks of a member as the other member: 200",
            "PUT /api/v1/agents/{agent_id}/blocks/{label} of the tenant as the other member: 200",
            "DELETE /api/v1/agents/{agent_id}/blocks/{label} of a member as the other member: 204",
        ),
    ),
    (
        provider_routes,
        "_require_whole_tenant",
        _anyone,
        (
            "POST /api/v1/providers of a member as the other member: 201",
            "PUT /api/v1/providers/{provider_id} of a member as the other member: 200",
            "DELETE /api/v1/providers/{provider_id} of the tenant as the other member: 204",
        ),
    ),
    (
        secret_routes,
        "_owner",
        _any_owner,
        (
            "PUT /api/v1/secrets/{name} of a member as the other member: 200",
            "DELETE /api/v1/secrets/{name} of a member as the other member: 204",
        ),
    ),
    (
        connection_routes,
        "owner_of",
        _any_owner,
        (
            "POST /api/v1/connections/{provider}/authorization of a member as the other member: 200",
            "PUT /api/v1/connections/caldav of a member as the other member: 200",
            "DELETE /api/v1/connections/{provider} of a member as the other member: 200",
        ),
    ),
    (
        connection_calendars,
        "owner_of",
        _any_owner,
        (
            "GET /api/v1/connections/{provider}/calendars of a member as the other member: 200",
            "PUT /api/v1/connections/{provider}/calendars of a member as the other member: 200",
        ),
    ),
    (
        consents,
        "take",
        _consent_of_any_session,
        ("GET /oauth/callback of first as a forwarded link, the other member's session: ",),
    ),
    (
        calendar_routes,
        "_visible",
        _any_event,
        ("GET /api/v1/calendar/events/{event_id}/invitation.ics of a member as the other member: 200",),
    ),
    (
        feed_routes,
        "_owner",
        _anyones_feed,
        (
            "GET /api/v1/calendar/feed of a member as the other member: 200",
            "POST /api/v1/calendar/feed of a member as the other member: 201",
            "DELETE /api/v1/calendar/feed of a member as the other member: 204",
        ),
    ),
    (
        calendar_feeds,
        "find",
        _any_feed,
        ("GET /calendar/feeds/{secret}.ics of a member as a fresh secret nobody was given: 200",),
    ),
    (
        webhooks,
        "hmac",
        SimpleNamespace(compare_digest=lambda *_: True),
        (
            "POST /calendar/webhooks/google/{ticket} of a member as its ticket, the other member's secret: 202",
            "POST /calendar/webhooks/microsoft/{ticket} of the tenant as its ticket without the secret: 202",
        ),
    ),
    (
        contact_routes,
        "_visible",
        _any_contact,
        (
            "POST /api/v1/contacts/find of a member as the other member: 200",
            "GET /api/v1/contacts/{contact_id} of a member as the other member: 200",
            "PUT /api/v1/contacts/{contact_id}/tags of a member as the other member: 200",
        ),
    ),
    (
        lifecycle_routes,
        "_require_whole_tenant",
        _anyone,
        (
            "PUT /api/v1/retention of a member as the other member: 200",
            "GET /api/v1/export of a member as the other member: 200",
        ),
    ),
    (reply_routes, "_check_client", _any_client, ("GET /api/agent/health of a member as another tenant's key: 200",)),
    (tool_registry, "_refused", _any_user, ("cancel_appointment, user_id is the victim's",)),
)
