"""Calls, and what was said in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from tenantry.domain.call import Call, CallerWords, CallStatus, EndReason, Transport, Utterance
from tenantry.domain.conversation import EventType
from tenantry.storage.repositories import conversations
from tenantry.storage.tenancy import Row, TenantTx

_timings = msgspec.json.Decoder(dict[str, float])
_COLUMNS = (
    "k.id, k.conversation_id, c.agent_id, c.owner_member_id, k.room, k.participant, k.transport, k.kinds, k.site_id, "
    "k.status, k.recognition, k.speech, k.local, k.claims, k.dispatches, k.created_at, k.dispatched_at, "
    "k.answered_at, k.agent_seen_at, k.caller_seen_at, k.hang_up, k.ended_at, k.end_reason"
)
_FROM = "FROM calls k JOIN conversations c ON c.tenant_id = k.tenant_id AND c.id = k.conversation_id"
_LIVE = "status <> 'ended'"


def _call_from(row: Row, tenant_id: UUID) -> Call:
    return Call(
        tenant_id=tenant_id,
        id=row["id"],
        conversation_id=row["conversation_id"],
        agent_id=row["agent_id"],
        owner_member_id=row["owner_member_id"],
        room=row["room"],
        participant=row["participant"],
        transport=row["transport"],
        kinds=tuple(row["kinds"]),
        site_id=row["site_id"],
        status=CallStatus(row["status"]),
        recognition=row["recognition"],
        speech=row["speech"],
        local=row["local"],
        claims=row["claims"],
        dispatches=row["dispatches"],
        created_at=row["created_at"],
        dispatched_at=row["dispatched_at"],
        answered_at=row["answered_at"],
        agent_seen_at=row["agent_seen_at"],
        caller_seen_at=row["caller_seen_at"],
        hang_up=EndReason(row["hang_up"]) if row["hang_up"] else None,
        ended_at=row["ended_at"],
        end_reason=EndReason(row["end_reason"]) if row["end_reason"] else None,
    )


@dataclass(frozen=True, slots=True)
class NewCall:
    """A call that is opened, its first agent dispatched with it."""

    id: UUID
    conversation_id: UUID
    room: str
    participant: str
    transport: Transport
    kinds: Sequence[str]
    site_id: UUID | None


async def create(tx: TenantTx, new: NewCall) -> None:
    """Keep a call that waits for its caller and its agent."""
    await tx.execute(
        "INSERT INTO calls (tenant_id, id, conversation_id, room, participant, transport, kinds, site_id, dispatches, "
        "dispatched_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, now())",
        tx.tenant_id,
        new.id,
        new.conversation_id,
        new.room,
        new.participant,
        new.transport,
        list(new.kinds),
        new.site_id,
    )


async def get(tx: TenantTx, call_id: UUID, *, sees_only: UUID | None, lock: bool = False) -> Call | None:
    """The call, if it is to be seen; with `lock` nobody else changes it until the transaction ends."""
    row = await tx.row(
        f"SELECT {_COLUMNS} {_FROM} WHERE {conversations.VISIBLE} AND k.id = $3" + (" FOR UPDATE OF k" if lock else ""),
        tx.tenant_id,
        sees_only,
        call_id,
    )
    return _call_from(row, tx.tenant_id) if row else None


async def by_token(tx: TenantTx, token_hash: bytes) -> Call | None:
    """The call that the holder of the token speaks for."""
    row = await tx.row(
        f"SELECT {_COLUMNS} {_FROM} WHERE k.tenant_id = $1 AND k.token_hash = $2", tx.tenant_id, token_hash
    )
    return _call_from(row, tx.tenant_id) if row else None


async def list_page(
    tx: TenantTx,
    *,
    sees_only: UUID | None,
    live: bool | None,
    conversation_id: UUID | None,
    before: UUID | None,
    limit: int,
) -> Sequence[Call]:
    """Calls, the newest first; with `live` only those that are not over (True) or that are (False)."""
    rows = await tx.rows(
        f"SELECT {_COLUMNS} {_FROM} WHERE {conversations.VISIBLE} "
        "AND ($3::boolean IS NULL OR (k.status <> 'ended') = $3) AND ($4::uuid IS NULL OR k.conversation_id = $4) "
        "AND ($5::uuid IS NULL OR k.id < $5) ORDER BY k.id DESC LIMIT $6",
        tx.tenant_id,
        sees_only,
        live,
        conversation_id,
        before,
        limit,
    )
    return [_call_from(row, tx.tenant_id) for row in rows]


async def claim(tx: TenantTx, call_id: UUID, token_hash: bytes, *, recognition: str, speech: str, local: bool) -> bool:
    """Let the holder of this token alone speak for the call from now on; False when it is over."""
    touched = await tx.execute(
        "UPDATE calls SET token_hash = $3, claims = claims + 1, agent_seen_at = now(), recognition = $4, speech = $5, "
        f"local = $6 WHERE tenant_id = $1 AND id = $2 AND {_LIVE}",
        tx.tenant_id,
        call_id,
        token_hash,
        recognition,
        speech,
        local,
    )
    return touched == 1


async def beat(tx: TenantTx, call_id: UUID, *, caller_there: bool, answered: bool) -> None:
    """The call's process lives, and the caller is there or not; with `answered`, the agent was heard."""
    await tx.execute(
        "UPDATE calls SET agent_seen_at = now(), caller_seen_at = CASE WHEN $3 THEN now() ELSE caller_seen_at END, "
        "status = CASE WHEN $4 THEN 'active' ELSE status END, "
        "answered_at = CASE WHEN $4 THEN coalesce(answered_at, now()) ELSE answered_at END "
        f"WHERE tenant_id = $1 AND id = $2 AND {_LIVE}",
        tx.tenant_id,
        call_id,
        caller_there,
        answered,
    )


async def lost(tx: TenantTx, call_id: UUID, claim: int) -> None:
    """The process of this claim is dead; nothing happens when another one has taken its place."""
    await tx.execute(
        "UPDATE calls SET agent_seen_at = NULL, token_hash = NULL "
        f"WHERE tenant_id = $1 AND id = $2 AND claims = $3 AND {_LIVE}",
        tx.tenant_id,
        call_id,
        claim,
    )


async def caller_seen(tx: TenantTx, call_id: UUID) -> None:
    """The caller is there."""
    await tx.execute("UPDATE calls SET caller_seen_at = now() WHERE tenant_id = $1 AND id = $2", tx.tenant_id, call_id)


async def dispatched(tx: TenantTx, call_id: UUID, *, not_since: timedelta) -> int | None:
    """Note that an agent is asked for; which dispatch it is, or None when one was within that time."""
    return await tx.value(
        "UPDATE calls SET dispatches = dispatches + 1, dispatched_at = now() "
        f"WHERE tenant_id = $1 AND id = $2 AND {_LIVE} "
        "AND (dispatched_at IS NULL OR dispatched_at <= now() - $3::interval) "
        "RETURNING dispatches",
        tx.tenant_id,
        call_id,
        not_since,
    )


async def ask_to_hang_up(tx: TenantTx, call_id: UUID, reason: EndReason) -> bool:
    """The call is to end for this reason; False when it is over."""
    touched = await tx.execute(
        f"UPDATE calls SET hang_up = coalesce(hang_up, $3) WHERE tenant_id = $1 AND id = $2 AND {_LIVE}",
        tx.tenant_id,
        call_id,
        str(reason),
    )
    return touched == 1


async def end(tx: TenantTx, call_id: UUID, reason: EndReason) -> bool:
    """The call is over, and no process speaks for it any more; False when it was over before."""
    touched = await tx.execute(
        "UPDATE calls SET status = 'ended', ended_at = now(), end_reason = $3, token_hash = NULL "
        f"WHERE tenant_id = $1 AND id = $2 AND {_LIVE}",
        tx.tenant_id,
        call_id,
        str(reason),
    )
    return touched == 1


async def live_of_tenant(tx: TenantTx) -> tuple[Sequence[Call], datetime]:
    """The tenant's calls that are not over, and the time as `now`."""
    rows = await tx.rows(f"SELECT {_COLUMNS} {_FROM} WHERE k.tenant_id = $1 AND k.{_LIVE}", tx.tenant_id)
    return [_call_from(row, tx.tenant_id) for row in rows], await now(tx)


async def now(tx: TenantTx) -> datetime:
    """The database's time at the begin of the transaction, which all moments of calls are in."""
    return await tx.value("SELECT now()")


async def outdate_tickets(tx: TenantTx, call_id: UUID) -> None:
    """Make every ticket of the call an older one, as when another agent was asked for."""
    await tx.execute(
        "UPDATE calls SET dispatches = dispatches + 1 WHERE tenant_id = $1 AND id = $2", tx.tenant_id, call_id
    )


async def live(tx: TenantTx, limit: int) -> Sequence[tuple[UUID, UUID]]:
    """Tenant and id of calls of all tenants that are not over, the oldest first; for the operator."""
    rows = await tx.rows(f"SELECT tenant_id, id FROM calls WHERE {_LIVE} ORDER BY id LIMIT $1", limit)
    return [(row["tenant_id"], row["id"]) for row in rows]


async def add_utterance(tx: TenantTx, call_id: UUID, said: Utterance) -> bool:
    """Keep what the agent said at a position; False when that is there already."""
    touched = await tx.execute(
        "INSERT INTO utterances (tenant_id, call_id, position, turn_id, said, heard, interrupted, timings) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        tx.tenant_id,
        call_id,
        said.position,
        said.turn_id,
        said.said,
        said.heard,
        said.interrupted,
        said.timings,
    )
    return touched == 1


async def utterances(tx: TenantTx, call_id: UUID) -> Sequence[Utterance]:
    """All that the agent said in the call, in order."""
    rows = await tx.rows(
        "SELECT position, turn_id, said, heard, interrupted, timings, created_at FROM utterances "
        "WHERE tenant_id = $1 AND call_id = $2 ORDER BY position",
        tx.tenant_id,
        call_id,
    )
    return [
        Utterance(
            row["position"],
            row["turn_id"],
            row["said"],
            row["heard"],
            row["interrupted"],
            _timings.decode(row["timings"]),
            row["created_at"],
        )
        for row in rows
    ]


async def caller_words(tx: TenantTx, call: Call) -> Sequence[CallerWords]:
    """All that the caller said in the call, in order: what came in its conversation while it lasted."""
    rows = await tx.rows(
        "SELECT t.id, t.number, m.content, t.received_at FROM turns t JOIN messages m "
        "ON m.tenant_id = t.tenant_id AND m.turn_id = t.id AND m.role = 'contact' "
        "WHERE t.tenant_id = $1 AND t.conversation_id = $2 AND t.received_at >= $3 "
        "AND ($4::timestamptz IS NULL OR t.received_at <= $4) ORDER BY t.number",
        tx.tenant_id,
        call.conversation_id,
        call.created_at,
        call.ended_at,
    )
    return [CallerWords(*row.values()) for row in rows]


async def unspoken(tx: TenantTx, call: Call) -> tuple[UUID, str] | None:
    """The reply of the conversation's last turn, where no process of the call has said that it was spoken."""
    row = await tx.row(
        "SELECT t.id, t.result ->> 'reply' AS reply FROM turns t WHERE t.tenant_id = $1 AND t.conversation_id = $2 "
        "AND t.status = 'done' AND t.received_at >= $3 AND NOT EXISTS (SELECT FROM utterances u "
        "WHERE u.tenant_id = $1 AND u.call_id = $4 AND u.turn_id = t.id) ORDER BY t.number DESC LIMIT 1",
        tx.tenant_id,
        call.conversation_id,
        call.created_at,
        call.id,
    )
    return (row["id"], row["reply"]) if row and row["reply"] else None


async def take_back(tx: TenantTx, conversation_id: UUID, turn_id: UUID, heard: str) -> None:
    """Leave in the history only what the caller heard of a stored reply, and note it in the conversation's record."""
    await tx.execute(
        "WITH bumped AS (UPDATE conversations SET last_event = last_event + 1 WHERE tenant_id = $1 AND id = $2 "
        "RETURNING last_event), cut AS (UPDATE messages SET content = $4 WHERE tenant_id = $1 "
        "AND conversation_id = $2 AND turn_id = $3 AND role = 'agent') "
        "INSERT INTO events (tenant_id, conversation_id, seq, turn_id, type, data) "
        f"SELECT $1, $2, last_event, $3, '{EventType.HEARD}', jsonb_build_object('text', $4::text) FROM bumped",
        tx.tenant_id,
        conversation_id,
        turn_id,
        heard,
    )
