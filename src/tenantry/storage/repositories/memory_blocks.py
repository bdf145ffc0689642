"""Memory blocks."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from tenantry.domain.ids import new_id
from tenantry.domain.memory import DEFAULT_LIMIT, Block
from tenantry.storage.tenancy import Row, TenantTx

_COLUMNS = "b.id, b.agent_id, b.contact_id, b.label, b.description, b.value, b.char_limit, b.revision, b.updated_at"
# Two conditions, as PostgreSQL uses no index for `IS NOT DISTINCT FROM`, and an agent may know very many contacts.
_OF_CONTACT = "b.tenant_id = $1 AND b.agent_id = $2 AND b.contact_id = $3::uuid"
_OF_AGENT = "b.tenant_id = $1 AND b.agent_id = $2 AND b.contact_id IS NULL AND $3::uuid IS NULL"
_blocks = msgspec.json.Decoder(tuple[Block, ...])

# A column for a statement that reads a conversation as `c` and has the tenant as $1: all blocks that its turns have in
# mind, the agent's own first, for `blocks_from`.
OF_CONVERSATION = (
    "(SELECT jsonb_agg(to_jsonb(m) - 'tenant_id' ORDER BY m.contact_id NULLS FIRST, m.label) FROM ("
    "SELECT b.* FROM memory_blocks b WHERE b.tenant_id = $1 AND b.agent_id = c.agent_id AND b.contact_id IS NULL "
    "UNION ALL "
    "SELECT b.* FROM memory_blocks b WHERE b.tenant_id = $1 AND b.agent_id = c.agent_id "
    "AND b.contact_id = c.contact_id) AS m) AS memory"
)


def blocks_from(memory: str | None) -> tuple[Block, ...]:
    """The blocks of a column `OF_CONVERSATION`."""
    return _blocks.decode(memory) if memory else ()


def _block_from(row: Row) -> Block:
    fields: Mapping[str, Any] = dict(row.items())
    return Block(**fields)


def _whose(contact_id: UUID | None) -> str:
    return _OF_AGENT if contact_id is None else _OF_CONTACT


def _read(contact_id: UUID | None) -> str:
    return f"SELECT {_COLUMNS} FROM memory_blocks b WHERE {_whose(contact_id)} AND b.label = $4"


async def of_contact(tx: TenantTx, agent_id: UUID, contact_id: UUID | None) -> tuple[Block, ...]:
    """The agent's own blocks and, with a contact, those that it has of them; each in order of their labels."""
    rows = await tx.rows(
        f"SELECT {_COLUMNS} FROM memory_blocks b WHERE b.tenant_id = $1 AND b.agent_id = $2 AND b.contact_id IS NULL "
        f"UNION ALL SELECT {_COLUMNS} FROM memory_blocks b "
        "WHERE b.tenant_id = $1 AND b.agent_id = $2 AND b.contact_id = $3 ORDER BY contact_id NULLS FIRST, label",
        tx.tenant_id,
        agent_id,
        contact_id,
    )
    return tuple(_block_from(row) for row in rows)


async def get(tx: TenantTx, agent_id: UUID, contact_id: UUID | None, label: str) -> Block | None:
    """The block, or None."""
    row = await tx.row(_read(contact_id), tx.tenant_id, agent_id, contact_id, label)
    return _block_from(row) if row else None


async def lock(tx: TenantTx, agent_id: UUID, contact_id: UUID | None, label: str) -> Block | None:
    """The block, which nobody else changes until the transaction ends, or None."""
    row = await tx.row(f"{_read(contact_id)} FOR UPDATE", tx.tenant_id, agent_id, contact_id, label)
    return _block_from(row) if row else None


async def count(tx: TenantTx, agent_id: UUID, contact_id: UUID | None) -> int:
    """How many blocks the agent has of the contact or, without one, of its own."""
    return await tx.value(
        f"SELECT count(*) FROM memory_blocks b WHERE {_whose(contact_id)}",
        tx.tenant_id,
        agent_id,
        contact_id,
    )


async def create(
    tx: TenantTx, agent_id: UUID, contact_id: UUID | None, label: str, *, like: Block | None = None
) -> None:
    """A block under this label, a copy of `like` or empty, unless there is one."""
    of = (like.description, like.value, like.char_limit) if like else ("", "", DEFAULT_LIMIT)
    await tx.execute(
        "INSERT INTO memory_blocks (tenant_id, id, agent_id, contact_id, label, description, value, char_limit) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (tenant_id, agent_id, contact_id, label) DO NOTHING",
        tx.tenant_id,
        new_id(),
        agent_id,
        contact_id,
        label,
        *of,
    )


async def change(
    tx: TenantTx, block_id: UUID, *, value: str, char_limit: int, description: str, revision: int
) -> Block | None:
    """Give the block that was read with this revision another value, limit (in characters) and description; None when
    it was changed since."""
    row = await tx.row(
        "UPDATE memory_blocks b SET value = $3, char_limit = $4, description = $5, revision = b.revision + 1, "
        f"updated_at = now() WHERE b.tenant_id = $1 AND b.id = $2 AND b.revision = $6 RETURNING {_COLUMNS}",
        tx.tenant_id,
        block_id,
        value,
        char_limit,
        description,
        revision,
    )
    return _block_from(row) if row else None


async def delete(tx: TenantTx, agent_id: UUID, contact_id: UUID | None, label: str) -> bool:
    """Remove the block; whether it was there."""
    query = f"DELETE FROM memory_blocks b WHERE {_whose(contact_id)} AND b.label = $4"
    return bool(await tx.execute(query, tx.tenant_id, agent_id, contact_id, label))
