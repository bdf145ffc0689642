"""Recordings of calls, in sealed pieces."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from tenantry.storage.tenancy import TenantTx


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a recording: the `part`, from 0, of what the process of this `claim` recorded; `size` in bytes, before
    it was sealed."""

    id: UUID
    call_id: UUID
    claim: int
    part: int
    size: int


async def add(tx: TenantTx, piece: Piece, sealed: bytes) -> bool:
    """Keep a piece; False when it is there already."""
    touched = await tx.execute(
        "INSERT INTO call_recordings (tenant_id, id, call_id, claim, part, size, sealed) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant_id, call_id, claim, part) DO NOTHING",
        tx.tenant_id,
        piece.id,
        piece.call_id,
        piece.claim,
        piece.part,
        piece.size,
        sealed,
    )
    return touched == 1


async def of_call(tx: TenantTx, call_id: UUID) -> Sequence[Piece]:
    """The pieces of a call's recording, in order."""
    rows = await tx.rows(
        "SELECT id, call_id, claim, part, size FROM call_recordings WHERE tenant_id = $1 AND call_id = $2 "
        "ORDER BY claim, part",
        tx.tenant_id,
        call_id,
    )
    return [Piece(*row.values()) for row in rows]


async def size_of(tx: TenantTx, call_id: UUID) -> int:
    """How many bytes were recorded of a call."""
    return await tx.value(
        "SELECT coalesce(sum(size), 0) FROM call_recordings WHERE tenant_id = $1 AND call_id = $2",
        tx.tenant_id,
        call_id,
    )


async def sealed(tx: TenantTx, piece_id: UUID) -> bytes | None:
    """A piece as it is kept; None when it was deleted."""
    return await tx.value("SELECT sealed FROM call_recordings WHERE tenant_id = $1 AND id = $2", tx.tenant_id, piece_id)


async def recorded_calls(tx: TenantTx) -> Sequence[UUID]:
    """The tenant's calls that were recorded, the oldest first."""
    rows = await tx.rows(
        "SELECT DISTINCT call_id FROM call_recordings WHERE tenant_id = $1 ORDER BY call_id", tx.tenant_id
    )
    return [row["call_id"] for row in rows]
