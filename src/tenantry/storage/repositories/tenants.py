"""Tenants, users and members. All that writes them runs in an operator's transaction."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from tenantry.domain.errors import Conflict
from tenantry.domain.ids import new_id
from tenantry.domain.limits import TenantLimits
from tenantry.domain.tenant import Member, Role, Tenant
from tenantry.storage.repositories import limits
from tenantry.storage.tenancy import Row, TenantTx

_COLUMNS = "id AS tenant_id, slug, name AS tenant_name, time_zone, allowed_models, active_agent_id, settings_stamp"


def tenant_from(row: Row, within: TenantLimits | None = None) -> Tenant:
    """The tenant of a row that has all columns of tenants, its id as tenant_id; `within` are its limits where they
    were asked for."""
    return Tenant(
        id=row["tenant_id"],
        slug=row["slug"],
        name=row["tenant_name"],
        time_zone=row["time_zone"],
        allowed_models=tuple(row["allowed_models"]),
        active_agent_id=row["active_agent_id"],
        settings_stamp=row["settings_stamp"],
        limits=within or TenantLimits(),
    )


def _member_from(row: Row) -> Member:
    return Member(
        tenant_id=row["tenant_id"],
        id=row["id"],
        user_id=row["user_id"],
        email=row["email"],
        role=Role(row["role"]),
        display_name=row["display_name"],
        created_at=row["created_at"],
    )


async def create(tx: TenantTx, slug: str, name: str, time_zone: str, tenant_id: UUID) -> None:
    """A new tenant, by the operator. Raises Conflict when the slug is taken."""
    try:
        await tx.execute(
            "INSERT INTO tenants (id, slug, name, time_zone) VALUES ($1, $2, $3, $4)", tenant_id, slug, name, time_zone
        )
    except asyncpg.UniqueViolationError as error:
        raise Conflict(f"There is a tenant {slug!r} already; choose another name.") from error


async def find(tx: TenantTx, slug: str) -> Tenant | None:
    """The tenant of that slug, for the operator."""
    row = await tx.row(f"SELECT {_COLUMNS} FROM tenants WHERE slug = $1", slug)
    return tenant_from(row) if row else None


async def current(tx: TenantTx) -> Tenant:
    """The transaction's tenant, with its limits."""
    row = await tx.one(
        f"SELECT {_COLUMNS}, {limits.EFFECTIVE} FROM tenants t {limits.JOIN} WHERE id = $1", tx.tenant_id
    )
    return tenant_from(row, limits.limits_from(row))


async def list_all(tx: TenantTx) -> list[Tenant]:
    """All tenants, for the operator."""
    return [tenant_from(row) for row in await tx.rows(f"SELECT {_COLUMNS} FROM tenants ORDER BY slug")]


async def delete(tx: TenantTx, tenant_id: UUID) -> None:
    """Remove a tenant and every row of it, by the operator."""
    await tx.execute("DELETE FROM tenants WHERE id = $1", tenant_id)


async def lock(tx: TenantTx) -> bool:
    """Hold the transaction's tenant, by the operator, so that nothing that refers to it is added; False when there is
    no such tenant."""
    return await tx.value("SELECT true FROM tenants WHERE id = $1 FOR UPDATE", tx.tenant_id) is not None


async def delete_with_people(tx: TenantTx) -> int:
    """Remove the transaction's tenant and every row of it, by the operator, and its people who belong to no other
    tenant; how many people."""
    people = await tx.rows("SELECT user_id FROM members WHERE tenant_id = $1", tx.tenant_id)
    await delete(tx, tx.tenant_id)
    removed = 0
    for person in people:
        # Whether somebody is a member elsewhere, no row says that is to be seen here; the foreign key does.
        await tx.execute("SAVEPOINT person")
        try:
            removed += await tx.execute("DELETE FROM users WHERE id = $1", person["user_id"])
        except asyncpg.ForeignKeyViolationError:
            await tx.execute("ROLLBACK TO SAVEPOINT person")
    return removed


async def delete_user(tx: TenantTx, email: str) -> None:
    """Remove a person who belongs to no tenant any more, by the operator. Raises Conflict when they still do."""
    try:
        await tx.execute("DELETE FROM users WHERE email = $1", email)
    except asyncpg.ForeignKeyViolationError as error:
        raise Conflict("This person is still a member of a tenant.") from error


async def set_active_agent(tx: TenantTx, agent_id: UUID) -> None:
    """Make this agent the one that answers when a request names none."""
    await tx.execute("UPDATE tenants SET active_agent_id = $2 WHERE id = $1", tx.tenant_id, agent_id)


async def raise_settings_stamp(tx: TenantTx) -> None:
    """Have every process read the tenant's settings anew; until the transaction ends, nobody else changes them."""
    await tx.execute("UPDATE tenants SET settings_stamp = settings_stamp + 1 WHERE id = $1", tx.tenant_id)


async def set_allowed_models(tx: TenantTx, names: Sequence[str]) -> None:
    """Which models a caller may name, by the operator."""
    await tx.execute(
        "UPDATE tenants SET allowed_models = $2, settings_stamp = settings_stamp + 1 WHERE id = $1",
        tx.tenant_id,
        list(names),
    )


async def lock_active_agent(tx: TenantTx) -> UUID | None:
    """The active agent, with nobody else changing which it is until the transaction ends."""
    # NO KEY: rows that refer to the tenant may be inserted meanwhile, also by a turn that holds a conversation which
    # this transaction waits for.
    return await tx.value("SELECT active_agent_id FROM tenants WHERE id = $1 FOR NO KEY UPDATE", tx.tenant_id)


async def add_member(tx: TenantTx, email: str, role: Role, display_name: str) -> UUID:
    """A new member of the transaction's tenant, by the operator; the user is made when new.

    Raises Conflict when that person is a member already.
    """
    user_id = await tx.value(
        "INSERT INTO users (id, email) VALUES ($1, $2) ON CONFLICT (email) DO UPDATE SET email = excluded.email "
        "RETURNING id",
        new_id(),
        email,
    )
    member_id = new_id()
    try:
        await tx.execute(
            "INSERT INTO members (tenant_id, id, user_id, role, display_name) VALUES ($1, $2, $3, $4, $5)",
            tx.tenant_id,
            member_id,
            user_id,
            role,
            display_name,
        )
    except asyncpg.UniqueViolationError as error:
        raise Conflict(f"{email} is a member of this tenant already.") from error
    return member_id


async def list_members(tx: TenantTx) -> list[Member]:
    """The tenant's members, in the order they joined."""
    rows = await tx.rows(
        "SELECT m.tenant_id, m.id, m.user_id, u.email, m.role, m.display_name, m.created_at "
        "FROM members m JOIN users u ON u.id = m.user_id "
        "WHERE m.tenant_id = $1 AND m.removed_at IS NULL ORDER BY m.id",
        tx.tenant_id,
    )
    return [_member_from(row) for row in rows]


async def member_by_email(tx: TenantTx, email: str) -> Member | None:
    """The tenant's member with this address."""
    return next((member for member in await list_members(tx) if member.email == email.lower()), None)
