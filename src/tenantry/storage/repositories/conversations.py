"""Conversations, and the record of what happened in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from tenantry.domain.calendar import BookingNotice
from tenantry.domain.conversation import Conversation, Event, Message
from tenantry.domain.ids import new_id
from tenantry.domain.memory import Block
from tenantry.domain.routing import Routed
from tenantry.domain.values import Known, VariableValue
from tenantry.storage.repositories import agent_versions, booking_notices, lifecycle, memory_blocks
from tenantry.storage.repositories.agent_versions import Serving
from tenantry.storage.tenancy import Row, TenantTx

_known = msgspec.json.Decoder(dict[str, VariableValue])
_object = msgspec.json.Decoder(dict[str, Any])
_routed = msgspec.json.Decoder(Routed)

_COLUMNS = (
    "c.id AS conversation_id, c.agent_id AS of_agent, c.owner_member_id AS conversation_owner, c.contact_id, "
    "c.channel, c.external_id, c.topic, c.routing, c.hand_offs, c.known, c.policy_state, c.last_turn, c.last_event, "
    "c.created_at AS began_at, c.updated_at AS last_at, c.contact_time_zone, "
    "(SELECT k.created_at FROM contacts k WHERE k.tenant_id = c.tenant_id AND k.id = c.contact_id) AS contact_since"
)
# $2 is the member whose conversations and the tenant's are all that may be seen, with those that they began themselves
# with an agent for as long as that is shared with them; NULL sees the whole tenant.
VISIBLE = (
    "c.tenant_id = $1 AND ($2::uuid IS NULL OR c.owner_member_id IS NULL OR c.owner_member_id = $2 "
    "OR (c.opened_by = $2 AND EXISTS (SELECT FROM agent_shares s "
    "WHERE s.tenant_id = c.tenant_id AND s.agent_id = c.first_agent_id AND s.member_id = $2)))"
)
# The conversations `c` that may be seen, for a statement that looks for their contacts.
SEEN = f"FROM conversations c WHERE {VISIBLE}"


def _conversation_from(row: Row, tenant_id: UUID) -> Conversation:
    return Conversation(
        tenant_id=tenant_id,
        id=row["conversation_id"],
        agent_id=row["of_agent"],
        owner_member_id=row["conversation_owner"],
        contact_id=row["contact_id"],
        channel=row["channel"],
        external_id=row["external_id"],
        topic=row["topic"],
        routed=_routed.decode(row["routing"]) if row["routing"] else None,
        hand_offs=row["hand_offs"],
        known=_known.decode(row["known"]),
        policy_state=_object.decode(row["policy_state"]),
        last_turn=row["last_turn"],
        last_event=row["last_event"],
        created_at=row["began_at"],
        updated_at=row["last_at"],
        contact_since=row["contact_since"],
        contact_time_zone=row["contact_time_zone"],
    )


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation with all that its turns begin from: what answers in it, and what that keeps in mind."""

    conversation: Conversation
    serving: Serving
    memory: tuple[Block, ...]
    notices: tuple[BookingNotice, ...]


_TALK = (
    f"{_COLUMNS}, {agent_versions.SERVING_COLUMNS}, {memory_blocks.OF_CONVERSATION}, "
    f"{booking_notices.OF_CONVERSATION}, {lifecycle.DORMANT}"
)
_JOIN_AGENT = "JOIN agents a ON a.tenant_id = c.tenant_id AND a.id = c.agent_id"


async def _taken_up(tx: TenantTx, row: Row | None) -> Talk | None:
    """The talk of a row, whose agent and contact are in use from now on."""
    if row is None:
        return None
    if row["dormant"]:
        await lifecycle.used(tx, row["of_agent"], row["contact_id"])
    return _talk_from(row, tx.tenant_id)


def _talk_from(row: Row, tenant_id: UUID) -> Talk:
    return Talk(
        _conversation_from(row, tenant_id),
        agent_versions.serving_from(row, tenant_id),
        memory_blocks.blocks_from(row["memory"]),
        booking_notices.notices_from(row["notices"]),
    )


@dataclass(frozen=True, slots=True)
class ConversationKey:
    """How a caller names a conversation: by the text they gave it or, when that is a UUID, perhaps by our own id.
    `identities` are the contact's (kind, hash), the first known one counts; `identified` says that a conversation of
    somebody else, or of nobody, must not be found."""

    external_id: str
    id: UUID | None
    identities: Sequence[tuple[str, bytes]]
    identified: bool


# The few that it can be are found by their indexes first, since none serves what a CASE asks for: each turn would read
# all of the tenant's conversations. What is few is said to be, so that the plan is kept: one that is thought to read
# more is made anew for each turn, which costs more than the turn.
_FIND = f"""
    WITH contact AS (
        SELECT i.contact_id AS id
        FROM (SELECT * FROM unnest($3::text[], $4::bytea[]) WITH ORDINALITY LIMIT 2) AS given (kind, hash, position)
        JOIN contact_identities i ON i.tenant_id = $1 AND i.kind = given.kind AND i.hash = given.hash
        ORDER BY given.position LIMIT 1
    ), named AS (
        SELECT id FROM conversations WHERE tenant_id = $1 AND contact_id = (SELECT id FROM contact) AND external_id = $6
        UNION ALL SELECT $7
    ), found AS (
        SELECT c.id FROM named JOIN conversations c ON c.id = named.id {_JOIN_AGENT} AND a.deleted_at IS NULL
        WHERE {VISIBLE} AND ($5::uuid IS NULL OR c.first_agent_id = $5)
          AND (CASE WHEN EXISTS (SELECT FROM contact)
               THEN c.contact_id = (SELECT id FROM contact)
               ELSE NOT $8 AND c.id = $7 AND NOT EXISTS (
                   SELECT FROM contact_identities i WHERE i.tenant_id = c.tenant_id AND i.contact_id = c.contact_id
                   AND i.kind <> 'conversation')
               END)
        ORDER BY c.opened_by IS NOT NULL, c.updated_at DESC LIMIT 1
    )
    SELECT {_TALK} FROM conversations c {_JOIN_AGENT} {agent_versions.JOIN_INSTANCE}
    WHERE c.tenant_id = $1 AND c.id = (SELECT id FROM found) FOR UPDATE OF c
"""


async def find(tx: TenantTx, key: ConversationKey, *, agent_id: UUID | None, sees_only: UUID | None) -> Talk | None:
    """The conversation with its agent, locked until the transaction ends. It must be of the key's contact; where none
    of the identities is known it must be of a contact that nothing identifies, and is found by our own id alone."""
    row = await tx.row(
        _FIND,
        tx.tenant_id,
        sees_only,
        [kind for kind, _ in key.identities],
        [digest for _, digest in key.identities],
        agent_id,
        key.external_id,
        key.id,
        key.identified,
    )
    return await _taken_up(tx, row)


async def lock(tx: TenantTx, conversation_id: UUID, *, sees_only: UUID | None) -> Talk | None:
    """The conversation with its agent when it may be seen, locked until the transaction ends."""
    row = await tx.row(
        f"SELECT {_TALK} FROM conversations c "
        f"{_JOIN_AGENT} AND a.deleted_at IS NULL {agent_versions.JOIN_INSTANCE} "
        f"WHERE {VISIBLE} AND c.id = $3 FOR UPDATE OF c",
        tx.tenant_id,
        sees_only,
        conversation_id,
    )
    return await _taken_up(tx, row)


@dataclass(frozen=True, slots=True)
class NewConversation:
    """What a conversation begins as. `version` is the one of its agent that it stays with; None follows what is
    published. `opened_by` is the member whom the agent is shared with and who began it, None for anyone else."""

    agent_id: UUID
    owner_member_id: UUID | None
    contact_id: UUID
    channel: str
    external_id: str | None
    topic: str | None
    version: int | None = None
    opened_by: UUID | None = None
    routed: Routed | None = None
    contact_time_zone: str | None = None


async def create(tx: TenantTx, new: NewConversation) -> Conversation | None:
    """A new conversation, locked; None when the contact has one under the same external id that began with the same
    agent (`same_as`)."""
    row = await tx.row(
        "WITH made AS (INSERT INTO conversations (tenant_id, id, agent_id, first_agent_id, owner_member_id, "
        "contact_id, channel, external_id, topic, version, opened_by, routing, contact_time_zone) "
        "VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING RETURNING *) "
        f"SELECT {_COLUMNS}, {lifecycle.DORMANT} FROM made c {_JOIN_AGENT}",
        tx.tenant_id,
        new_id(),
        new.agent_id,
        new.owner_member_id,
        new.contact_id,
        new.channel,
        new.external_id,
        new.topic,
        new.version,
        new.opened_by,
        new.routed,
        new.contact_time_zone,
    )
    if row is None:
        return None
    if row["dormant"]:
        await lifecycle.used(tx, new.agent_id, new.contact_id)
    return _conversation_from(row, tx.tenant_id)


async def same_as(tx: TenantTx, new: NewConversation) -> UUID:
    """The conversation that stands in the way of this one."""
    return await tx.value(
        "SELECT id FROM conversations WHERE tenant_id = $1 AND contact_id = $2 AND first_agent_id = $3 "
        "AND external_id = $4 AND opened_by IS NOT DISTINCT FROM $5",
        tx.tenant_id,
        new.contact_id,
        new.agent_id,
        new.external_id,
        new.opened_by,
    )


@dataclass(frozen=True, slots=True)
class Successor:
    """The agent that a conversation goes over to, by the version that it then stays with, if it does."""

    agent_id: UUID
    owner_member_id: UUID | None
    version: int | None


async def hand_over(tx: TenantTx, conversation_id: UUID, to: Successor, known: Known) -> None:
    """Let another agent go on with what is `known`, as if no model had ever been at it."""
    await tx.execute(
        "UPDATE conversations SET agent_id = $3, owner_member_id = $4, version = $5, known = $6, policy_state = '{}', "
        "hand_offs = hand_offs + 1 WHERE tenant_id = $1 AND id = $2",
        tx.tenant_id,
        conversation_id,
        to.agent_id,
        to.owner_member_id,
        to.version,
        known,
    )


async def set_contact_time_zone(tx: TenantTx, conversation_id: UUID, time_zone: str) -> None:
    """The contact is in this zone (IANA) from now on."""
    await tx.execute(
        "UPDATE conversations SET contact_time_zone = $3 WHERE tenant_id = $1 AND id = $2",
        tx.tenant_id,
        conversation_id,
        time_zone,
    )


async def take_back(tx: TenantTx, conversation_id: UUID, to: Successor) -> None:
    """Give a conversation back to the agent that it began with when the one that it was handed over to is gone."""
    await tx.execute(
        "UPDATE conversations c SET agent_id = $3, owner_member_id = $4, version = $5, policy_state = '{}' "
        "FROM agents a WHERE c.tenant_id = $1 AND c.id = $2 AND c.first_agent_id = $3 "
        "AND a.tenant_id = c.tenant_id AND a.id = c.agent_id AND a.deleted_at IS NOT NULL",
        tx.tenant_id,
        conversation_id,
        to.agent_id,
        to.owner_member_id,
        to.version,
    )


async def get(tx: TenantTx, conversation_id: UUID, *, sees_only: UUID | None) -> Conversation | None:
    """The conversation, when it may be seen."""
    row = await tx.row(
        f"SELECT {_COLUMNS} FROM conversations c WHERE {VISIBLE} AND c.id = $3",
        tx.tenant_id,
        sees_only,
        conversation_id,
    )
    return _conversation_from(row, tx.tenant_id) if row else None


async def with_agent(tx: TenantTx, conversation_id: UUID) -> Talk:
    """The conversation and its agent, also one that was taken out of use: it still answers what it was sent before."""
    row = await tx.one(
        f"SELECT {_TALK} FROM conversations c "
        f"{_JOIN_AGENT} {agent_versions.JOIN_INSTANCE} WHERE c.tenant_id = $1 AND c.id = $2",
        tx.tenant_id,
        conversation_id,
    )
    return _talk_from(row, tx.tenant_id)


async def list_page(
    tx: TenantTx, *, sees_only: UUID | None, agent_id: UUID | None, before: UUID | None, limit: int
) -> list[Conversation]:
    """Up to `limit` conversations that may be seen, newest first, begun before the one with id `before`."""
    rows = await tx.rows(
        f"SELECT {_COLUMNS} FROM conversations c WHERE {VISIBLE} AND ($3::uuid IS NULL OR c.agent_id = $3) "
        "AND ($4::uuid IS NULL OR c.id < $4) ORDER BY c.id DESC LIMIT $5",
        tx.tenant_id,
        sees_only,
        agent_id,
        before,
        limit,
    )
    return [_conversation_from(row, tx.tenant_id) for row in rows]


async def messages_before(tx: TenantTx, conversation_id: UUID, number: int, limit: int) -> tuple[Message, ...]:
    """The last `limit` messages before the one with this number, in order."""
    rows = await tx.rows(
        "SELECT number, role, content FROM messages "
        "WHERE tenant_id = $1 AND conversation_id = $2 AND number < $3 ORDER BY number DESC LIMIT $4",
        tx.tenant_id,
        conversation_id,
        number,
        limit,
    )
    return tuple(Message(*row.values()) for row in reversed(rows))


async def events_after(tx: TenantTx, conversation_id: UUID, seq: int, limit: int) -> Sequence[Event]:
    """Up to `limit` events that follow the one with this sequence number, in order."""
    rows = await tx.rows(
        "SELECT seq, turn_id, type, data, created_at FROM events "
        "WHERE tenant_id = $1 AND conversation_id = $2 AND seq > $3 ORDER BY seq LIMIT $4",
        tx.tenant_id,
        conversation_id,
        seq,
        limit,
    )
    return [
        Event(row["seq"], row["turn_id"], row["type"], _object.decode(row["data"]), row["created_at"]) for row in rows
    ]
