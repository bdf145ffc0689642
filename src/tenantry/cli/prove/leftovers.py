"""What proofs that were killed left behind: found by their names and a mark in their audit log, and removed."""

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from tenantry.cli.prove.world import ACTOR, SEEDED
from tenantry.domain.errors import Conflict
from tenantry.storage.isolation.seeding import hold_run, people_of, was_marked
from tenantry.storage.repositories import tenants
from tenantry.storage.tenancy import Database

_SLUG = re.compile(r"prove-[ab]-([0-9a-f]{10})")
_PEOPLE = r"@prove-[ab]-[0-9a-f]{10}\.example$"


@asynccontextmanager
async def running(db: Database, run_id: str) -> AsyncGenerator[None]:
    """While inside, no other proof takes what this run makes for left behind. A killed process holds nothing."""
    async with db.operator() as tx:
        await hold_run(tx, run_id)
        yield


async def remove_leftovers(db: Database) -> list[str]:
    """Remove the tenants of proofs that run no more, and their people; the slugs of those that were removed. What only
    bears such a name is left alone."""
    async with db.operator() as tx:
        found = [tenant for tenant in await tenants.list_all(tx) if _SLUG.fullmatch(tenant.slug)]
    removed: list[str] = []
    for tenant in found:
        run_id = tenant.slug.rsplit("-", 1)[1]
        async with db.operator(tenant.id) as tx:
            if await was_marked(tx, ACTOR, SEEDED) and await hold_run(tx, run_id):
                await tenants.delete(tx, tenant.id)
                removed.append(tenant.slug)
    async with db.operator() as tx:
        people = await people_of(tx, _PEOPLE)
    for email in people:
        try:
            async with db.operator() as tx:
                await tenants.delete_user(tx, email)
        except Conflict:
            # A member of a tenant that is there: of another proof, or of one that was left alone.
            continue
    return removed
