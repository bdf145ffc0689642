"""Turns: accepted once, driven by one process at a time, stored whole."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from tenantry.domain.conversation import (
    Conversation,
    EventType,
    Message,
    StopReason,
    Turn,
    TurnResult,
    TurnStatus,
)
from tenantry.domain.ids import new_id
from tenantry.domain.trace import TurnTrace
from tenantry.domain.values import Known
from tenantry.storage.repositories import usage
from tenantry.storage.repositories.usage import UsageRow
from tenantry.storage.tenancy import Row, TenantTx

LEASE_S = 20.0
_result = msgspec.json.Decoder(TurnResult)
_trace = msgspec.json.Decoder(TurnTrace)
_history = msgspec.json.Decoder(tuple[Message, ...])
_COLUMNS = (
    "t.id, t.conversation_id, t.number, t.status, t.request_hash, t.model, t.attempts, t.received_at, t.result, t.stop"
)
LEASE = f"interval '{LEASE_S} seconds'"


class AlreadyAccepted(Exception):
    """Another request at the same time brought the same idempotency key."""


def _turn_from(row: Row, tenant_id: UUID) -> Turn:
    return Turn(
        tenant_id=tenant_id,
        id=row["id"],
        conversation_id=row["conversation_id"],
        number=row["number"],
        status=TurnStatus(row["status"]),
        request_hash=row["request_hash"],
        model=row["model"],
        attempts=row["attempts"],
        received_at=row["received_at"],
        result=_result.decode(row["result"]) if row["result"] else None,
        stop=row["stop"],
    )


@dataclass(frozen=True, slots=True)
class NewTurn:
    """A message on its way in. `lease_id` names the process that will answer it."""

    message: str
    model: str
    request_hash: bytes
    idempotency_scope: UUID
    idempotency_key: str | None
    lease_id: UUID


@dataclass(frozen=True, slots=True)
class AcceptedTurn:
    """A turn whose message is kept as the event `seq`; `history` is what was said before it, in order."""

    turn: Turn
    seq: int
    history: tuple[Message, ...]


# The messages are read as they were before this statement.
_ACCEPT = f"""
    WITH bumped AS (
        UPDATE conversations SET last_turn = last_turn + 1, last_event = last_event + 1, updated_at = now()
        WHERE tenant_id = $1 AND id = $2 RETURNING last_turn, last_event
    ), turn AS (
        INSERT INTO turns AS t (tenant_id, id, conversation_id, number, status, idempotency_scope, idempotency_key,
                           request_hash, model, lease_id, lease_expires_at, attempts)
        SELECT $1, $3, $2, last_turn,
               CASE WHEN unfinished THEN 'queued' ELSE 'running' END, $4, $5, $6, $7, $8, now() + {LEASE},
               CASE WHEN unfinished THEN 0 ELSE 1 END
        FROM bumped, (SELECT EXISTS (
            SELECT FROM turns WHERE tenant_id = $1 AND conversation_id = $2 AND status IN ('queued', 'running')
        ) AS unfinished) AS queue
        RETURNING {_COLUMNS}
    ), message AS (
        INSERT INTO messages (tenant_id, conversation_id, number, turn_id, role, content)
        SELECT $1, $2, 2 * last_turn - 1, $3, 'contact', $9 FROM bumped
    ), event AS (
        INSERT INTO events (tenant_id, conversation_id, seq, turn_id, type, data)
        SELECT $1, $2, last_event, $3, '{EventType.MESSAGE_RECEIVED}', jsonb_build_object('text', $9::text) FROM bumped
    ), history AS (
        SELECT jsonb_agg(jsonb_build_object('number', number, 'role', role, 'content', content) ORDER BY number) AS said
        FROM (
            SELECT number, role, content FROM messages WHERE tenant_id = $1 AND conversation_id = $2
            ORDER BY number DESC LIMIT $10
        ) AS last
    )
    SELECT turn.*, bumped.last_event AS seq, history.said FROM turn, bumped, history
"""


async def accept(tx: TenantTx, conversation: Conversation, new: NewTurn, *, history: int) -> AcceptedTurn:
    """Keep the message, for good, and begin its turn: at once, or queued behind those that are unfinished. The
    conversation must be locked; of what was said before, the last `history` messages come back. Raises AlreadyAccepted
    when the idempotency key was used by now."""
    try:
        row = await tx.one(
            _ACCEPT,
            tx.tenant_id,
            conversation.id,
            new_id(),
            new.idempotency_scope,
            new.idempotency_key,
            new.request_hash,
            new.model,
            new.lease_id,
            new.message,
            history,
        )
    except asyncpg.UniqueViolationError as error:
        raise AlreadyAccepted from error
    said = _history.decode(row["said"]) if row["said"] else ()
    return AcceptedTurn(_turn_from(row, tx.tenant_id), row["seq"], said)


async def unfinished(tx: TenantTx, conversation_id: UUID) -> bool:
    """Whether a message of the conversation is still being answered or waits for it."""
    return await tx.value(
        "SELECT EXISTS (SELECT FROM turns WHERE tenant_id = $1 AND conversation_id = $2 "
        "AND status IN ('queued', 'running'))",
        tx.tenant_id,
        conversation_id,
    )


async def last_unfinished(tx: TenantTx, conversation_id: UUID) -> UUID | None:
    """The conversation's last turn, where that is not done."""
    return await tx.value(
        "SELECT id FROM turns WHERE tenant_id = $1 AND conversation_id = $2 AND status IN ('queued', 'running') "
        "ORDER BY number DESC LIMIT 1",
        tx.tenant_id,
        conversation_id,
    )


async def stop_unfinished(tx: TenantTx, conversation_id: UUID, reason: StopReason) -> list[UUID]:
    """Ask that every unfinished turn of the conversation ends where it stands; which ones."""
    rows = await tx.rows(
        "UPDATE turns SET stop = $3 WHERE tenant_id = $1 AND conversation_id = $2 AND status IN ('queued', 'running') "
        "AND stop IS NULL RETURNING id",
        tx.tenant_id,
        conversation_id,
        reason,
    )
    return [row["id"] for row in rows]


async def stop(tx: TenantTx, turn_id: UUID, reason: StopReason) -> bool:
    """Ask that an unfinished turn ends where it stands; False when it is done."""
    touched = await tx.execute(
        "UPDATE turns SET stop = coalesce(stop, $3) WHERE tenant_id = $1 AND id = $2 "
        "AND status IN ('queued', 'running')",
        tx.tenant_id,
        turn_id,
        reason,
    )
    return touched == 1


async def by_idempotency_key(tx: TenantTx, scope: UUID, key: str) -> Turn | None:
    """The turn that was accepted under this key."""
    row = await tx.row(
        f"SELECT {_COLUMNS} FROM turns t WHERE tenant_id = $1 AND idempotency_scope = $2 AND idempotency_key = $3",
        tx.tenant_id,
        scope,
        key,
    )
    return _turn_from(row, tx.tenant_id) if row else None


async def get(tx: TenantTx, turn_id: UUID) -> Turn | None:
    """The turn."""
    row = await tx.row(f"SELECT {_COLUMNS} FROM turns t WHERE tenant_id = $1 AND id = $2", tx.tenant_id, turn_id)
    return _turn_from(row, tx.tenant_id) if row else None


async def start(tx: TenantTx, turn_id: UUID, lease_id: UUID, *, sole: bool, again: bool = False) -> Turn | None:
    """Begin an unfinished turn that is ours, or that its process left, once no earlier one of its conversation is
    unfinished; None while that is not so. With `sole`, no other process can be alive; with `again`, our own attempt at
    the turn was given up."""
    row = await tx.row(
        f"UPDATE turns t SET status = 'running', lease_id = $3, lease_expires_at = now() + {LEASE}, "
        "attempts = attempts + 1 "
        "WHERE tenant_id = $1 AND id = $2 AND ((lease_id = $3 AND (status = 'queued' OR $5)) OR "
        "(status IN ('queued', 'running') AND (lease_expires_at < now() OR ($4 AND lease_id <> $3)))) "
        "AND NOT EXISTS (SELECT FROM turns earlier WHERE earlier.tenant_id = $1 "
        "AND earlier.conversation_id = t.conversation_id AND earlier.number < t.number "
        f"AND earlier.status IN ('queued', 'running')) RETURNING {_COLUMNS}",
        tx.tenant_id,
        turn_id,
        lease_id,
        sole,
        again,
    )
    return _turn_from(row, tx.tenant_id) if row else None


async def renew(tx: TenantTx, turn_ids: Sequence[UUID], lease_id: UUID) -> dict[UUID, StopReason | None]:
    """Say that these turns of ours are still being worked on; those that are ours, each with why it is to end where it
    stands, if it is."""
    rows = await tx.rows(
        f"UPDATE turns SET lease_expires_at = now() + {LEASE} "
        "WHERE tenant_id = $1 AND id = ANY($2) AND lease_id = $3 AND status IN ('queued', 'running') "
        "RETURNING id, stop",
        tx.tenant_id,
        list(turn_ids),
        lease_id,
    )
    return {row["id"]: row["stop"] for row in rows}


async def received(tx: TenantTx, turn: Turn) -> tuple[str, int]:
    """The contact's message of a turn, and the sequence number of its event."""
    row = await tx.one(
        "SELECT m.content, (SELECT min(e.seq) FROM events e WHERE e.tenant_id = $1 AND e.turn_id = $4) AS seq "
        "FROM messages m WHERE m.tenant_id = $1 AND m.conversation_id = $2 AND m.number = $3",
        tx.tenant_id,
        turn.conversation_id,
        2 * turn.number - 1,
        turn.id,
    )
    return row["content"], row["seq"]


# The conversation is locked before its turn, as in accepting: the other way round, a replay that holds the conversation
# and waits for the turn's idempotency key would wait for ever.
_FINISH = f"""
    WITH locked AS (
        SELECT id FROM conversations WHERE tenant_id = $1 AND id = $10 FOR UPDATE
    ), done AS (
        UPDATE turns t SET status = 'done', result = $4, finished_at = now(), lease_id = NULL
        FROM locked
        WHERE t.tenant_id = $1 AND t.id = $2 AND t.conversation_id = locked.id AND t.lease_id = $3
              AND t.status = 'running'
        RETURNING t.conversation_id, t.number
    ), conversation AS (
        UPDATE conversations c SET known = $5, policy_state = $6, updated_at = now(),
               last_event = c.last_event + cardinality($7::text[])
        FROM done WHERE c.tenant_id = $1 AND c.id = done.conversation_id RETURNING c.last_event
    ), message AS (
        INSERT INTO messages (tenant_id, conversation_id, number, turn_id, role, content)
        SELECT $1, conversation_id, 2 * number, $2, 'agent', $9 FROM done
    ), event AS (
        INSERT INTO events (tenant_id, conversation_id, seq, turn_id, type, data)
        SELECT $1, done.conversation_id, conversation.last_event - cardinality($7::text[]) + new.position, $2,
               new.type, new.data::jsonb
        FROM done, conversation, unnest($7::text[], $8::text[]) WITH ORDINALITY AS new (type, data, position)
    ), trace AS (
        INSERT INTO turn_traces (tenant_id, turn_id, trace) SELECT $1, $2, $11 FROM done
    ), used AS (
        {usage.insert_sql(12, source="done")}
    )
    SELECT last_event FROM conversation
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that came of a turn."""

    result: TurnResult
    known: Known
    policy_state: Mapping[str, Any]
    events: Sequence[tuple[EventType, Mapping[str, Any]]]
    trace: TurnTrace
    usage: Sequence[UsageRow] = ()


async def finish(tx: TenantTx, turn: Turn, lease_id: UUID, outcome: Outcome) -> int | None:
    """Store all that came of a turn; the sequence number of its last event, or None when it is not ours any more."""
    return await tx.value(
        _FINISH,
        tx.tenant_id,
        turn.id,
        lease_id,
        outcome.result,
        outcome.known,
        outcome.policy_state,
        [str(kind) for kind, _ in outcome.events],
        [msgspec.json.encode(data).decode() for _, data in outcome.events],
        outcome.result.reply,
        turn.conversation_id,
        outcome.trace,
        *usage.arguments(outcome.usage),
    )


async def trace(tx: TenantTx, turn_id: UUID) -> TurnTrace | None:
    """How the turn was answered; None before it is done."""
    found = await tx.value("SELECT trace FROM turn_traces WHERE tenant_id = $1 AND turn_id = $2", tx.tenant_id, turn_id)
    return _trace.decode(found) if found else None


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A turn that no living process seems to work on, begun so many times."""

    tenant_id: UUID
    turn_id: UUID
    attempts: int


async def abandoned(
    tx: TenantTx, lease_id: UUID, *, sole: bool, limit: int, but: Collection[UUID] = ()
) -> list[Unfinished]:
    """Turns of all tenants whose lease ran out, or with `sole` all that are not ours, each the first unfinished one of
    its conversation; those that were begun the fewest times first, then the oldest, and none of those in `but`."""
    rows = await tx.rows(
        "SELECT tenant_id, id, attempts FROM turns t WHERE status IN ('queued', 'running') "
        "AND (lease_expires_at < now() OR ($2 AND lease_id <> $1)) AND id <> ALL ($4) "
        "AND NOT EXISTS (SELECT FROM turns earlier WHERE earlier.tenant_id = t.tenant_id "
        "AND earlier.conversation_id = t.conversation_id AND earlier.number < t.number "
        "AND earlier.status IN ('queued', 'running')) ORDER BY attempts, id LIMIT $3",
        lease_id,
        sole,
        limit,
        list(but),
    )
    return [Unfinished(row["tenant_id"], row["id"], row["attempts"]) for row in rows]
