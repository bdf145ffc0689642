"""Tool calls, claimed before their effect is made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from tenantry.domain.tools import ToolCallRequest, ToolResult
from tenantry.storage.repositories import conversations
from tenantry.storage.repositories.turns import LEASE
from tenantry.storage.tenancy import TenantTx

_object = msgspec.json.Decoder(dict[str, Any])


class LeaseLost(Exception):
    """The turn is not ours any more: another process took it up."""


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A call of a turn. Without `result` it was claimed, and nobody lived to say what came of it."""

    step: int
    name: str
    arguments: Mapping[str, Any]
    model: str
    result: ToolResult | None


async def recorded(tx: TenantTx, turn_id: UUID) -> tuple[RecordedCall, ...]:
    """The calls that were claimed for a turn, in order."""
    rows = await tx.rows(
        "SELECT step, name, arguments, model, output FROM tool_calls WHERE tenant_id = $1 AND turn_id = $2 "
        "ORDER BY step",
        tx.tenant_id,
        turn_id,
    )
    return tuple(
        RecordedCall(
            row["step"],
            row["name"],
            _object.decode(row["arguments"]),
            row["model"],
            ToolResult(_object.decode(row["output"])) if row["output"] else None,
        )
        for row in rows
    )


async def claim(
    tx: TenantTx, turn_id: UUID, lease_id: UUID, first_step: int, requests: Sequence[ToolCallRequest], model: str
) -> None:
    """Claim the steps from `first_step` on for these calls, and the turn for as long as a lease lasts. Raises LeaseLost
    when the turn is another process's, or another attempt of ours has claimed them."""
    claimed = await tx.execute(
        f"WITH ours AS (UPDATE turns SET lease_expires_at = now() + {LEASE} "
        "WHERE tenant_id = $1 AND id = $2 AND lease_id = $3 AND status = 'running' RETURNING id) "
        "INSERT INTO tool_calls (tenant_id, turn_id, step, name, arguments, model, status) "
        "SELECT $1, $2, $4 + new.position - 1, new.name, new.arguments::jsonb, $7, 'claimed' "
        "FROM ours, unnest($5::text[], $6::text[]) WITH ORDINALITY AS new (name, arguments, position) "
        "ON CONFLICT (tenant_id, turn_id, step) DO NOTHING",
        tx.tenant_id,
        turn_id,
        lease_id,
        first_step,
        [request.name for request in requests],
        [msgspec.json.encode(request.arguments).decode() for request in requests],
        model,
    )
    if claimed != len(requests):
        raise LeaseLost


@dataclass(frozen=True, slots=True)
class LockedCall:
    """A claimed call that nobody else finishes now; `earlier` is what came of it, where that is known already."""

    earlier: ToolResult | None


async def lock(tx: TenantTx, turn_id: UUID, step: int, name: str) -> LockedCall | None:
    """The claim of this step under this name, which nobody else takes or finishes until the transaction ends; None
    when there is none. A tool whose effect is in the same database calls `finish` beside it: then both are there, or
    neither is."""
    row = await tx.row(
        "SELECT output FROM tool_calls WHERE tenant_id = $1 AND turn_id = $2 AND step = $3 AND name = $4 FOR UPDATE",
        tx.tenant_id,
        turn_id,
        step,
        name,
    )
    if row is None:
        return None
    return LockedCall(ToolResult(_object.decode(row["output"])) if row["output"] is not None else None)


async def finish(tx: TenantTx, turn_id: UUID, step: int, output: Mapping[str, Any]) -> Mapping[str, Any]:
    """Keep what came of a claimed call; what is kept now. Where two processes made the call, the first word counts,
    unless it was that the outcome is unknown."""
    kept = await tx.execute(
        "UPDATE tool_calls SET status = 'done', output = $4, finished_at = now() "
        "WHERE tenant_id = $1 AND turn_id = $2 AND step = $3 "
        "AND (status = 'claimed' OR output ->> 'status' = 'unknown')",
        tx.tenant_id,
        turn_id,
        step,
        output,
    )
    if kept:
        return output
    earlier = await tx.value(
        "SELECT output FROM tool_calls WHERE tenant_id = $1 AND turn_id = $2 AND step = $3", tx.tenant_id, turn_id, step
    )
    return _object.decode(earlier) if earlier else output


@dataclass(frozen=True, slots=True)
class UnknownCall:
    """A call of which nobody knows what came of it, with where it was made."""

    conversation_id: UUID
    turn_id: UUID
    step: int
    name: str
    arguments: Mapping[str, Any]
    claimed_at: datetime


async def unknown(
    tx: TenantTx, *, sees_only: UUID | None, before: datetime | None, limit: int
) -> Sequence[UnknownCall]:
    """Up to `limit` calls with an unknown outcome in conversations that may be seen, the newest first."""
    rows = await tx.rows(
        "SELECT t.conversation_id, k.turn_id, k.step, k.name, k.arguments, k.claimed_at FROM tool_calls k "
        "JOIN turns t ON t.tenant_id = k.tenant_id AND t.id = k.turn_id "
        "JOIN conversations c ON c.tenant_id = k.tenant_id AND c.id = t.conversation_id "
        f"WHERE {conversations.VISIBLE} AND k.tenant_id = $1 AND k.output ->> 'status' = 'unknown' "
        "AND ($3::timestamptz IS NULL OR k.claimed_at < $3) ORDER BY k.claimed_at DESC LIMIT $4",
        tx.tenant_id,
        sees_only,
        before,
        limit,
    )
    return [
        UnknownCall(
            row["conversation_id"],
            row["turn_id"],
            row["step"],
            row["name"],
            _object.decode(row["arguments"]),
            row["claimed_at"],
        )
        for row in rows
    ]
