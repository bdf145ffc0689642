"""Tool calls, claimed before their effect is made."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from tenantry.domain.tools import ToolCallRequest, ToolResult
from tenantry.storage.tenancy import TenantTx

_object = msgspec.json.Decoder(dict[str, Any])


async def claim(tx: TenantTx, turn_id: UUID, step: int, request: ToolCallRequest) -> ToolResult | None:
    """Claim this step of the turn; what came of it when an earlier attempt of the turn finished the same call."""
    row = await tx.one(
        "INSERT INTO tool_calls AS c (tenant_id, turn_id, step, name, arguments, status) "
        "VALUES ($1, $2, $3, $4, $5, 'claimed') "
        "ON CONFLICT (tenant_id, turn_id, step) DO UPDATE SET claimed_at = now() RETURNING name, output",
        tx.tenant_id,
        turn_id,
        step,
        request.name,
        request.arguments,
    )
    if row["output"] is None or row["name"] != request.name:
        return None
    return ToolResult(_object.decode(row["output"]))


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
