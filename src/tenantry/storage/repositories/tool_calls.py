"""Tool calls, claimed before their effect is made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from tenantry.domain.tools import ToolCallRequest, ToolResult
from tenantry.storage.tenancy import TenantTx

_object = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True, slots=True)
class Claim:
    """A call that may be made unless `earlier` says what came of it. `repeated` tells that an earlier attempt of the
    turn claimed the same call and did not live to say what came of it."""

    earlier: ToolResult | None = None
    repeated: bool = False


async def claim(tx: TenantTx, turn_id: UUID, step: int, request: ToolCallRequest) -> Claim:
    """Claim this step of the turn."""
    fresh = await tx.row(
        "INSERT INTO tool_calls (tenant_id, turn_id, step, name, arguments, status) "
        "VALUES ($1, $2, $3, $4, $5, 'claimed') ON CONFLICT (tenant_id, turn_id, step) DO NOTHING RETURNING step",
        tx.tenant_id,
        turn_id,
        step,
        request.name,
        request.arguments,
    )
    if fresh is not None:
        return Claim()
    # A model may take another way in another attempt: then the step is another call, and the row is this one's.
    row = await tx.one(
        "UPDATE tool_calls c SET claimed_at = now(), name = $4, "
        "arguments = CASE WHEN c.name = $4 THEN c.arguments ELSE $5 END, "
        "status = CASE WHEN c.name = $4 THEN c.status ELSE 'claimed' END, "
        "output = CASE WHEN c.name = $4 THEN c.output END, "
        "finished_at = CASE WHEN c.name = $4 THEN c.finished_at END "
        "FROM (SELECT name FROM tool_calls WHERE tenant_id = $1 AND turn_id = $2 AND step = $3 FOR UPDATE) AS earlier "
        "WHERE tenant_id = $1 AND turn_id = $2 AND step = $3 RETURNING earlier.name = $4 AS same, c.output",
        tx.tenant_id,
        turn_id,
        step,
        request.name,
        request.arguments,
    )
    if row["output"] is not None:
        return Claim(earlier=ToolResult(_object.decode(row["output"])))
    return Claim(repeated=row["same"])


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


async def finish(tx: TenantTx, turn_id: UUID, step: int, output: Mapping[str, Any]) -> None:
    """Keep what came of a claimed call."""
    await tx.execute(
        "UPDATE tool_calls SET status = 'done', output = $4, finished_at = now() "
        "WHERE tenant_id = $1 AND turn_id = $2 AND step = $3",
        tx.tenant_id,
        turn_id,
        step,
        output,
    )
