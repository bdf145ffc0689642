"""Bringing what is new at an agent or a built-in template to its clones."""

import asyncio
from collections.abc import Collection, Sequence

from tenantry.api.agents.clone_schemas import CloneResultOut, ClonesUpdateIn, ClonesUpdateOut, FieldErrorOut, SourceOut
from tenantry.domain.access import Principal
from tenantry.domain.agent import AgentDefinition
from tenantry.domain.agent_validation import validate_definition
from tenantry.domain.errors import InvalidInput
from tenantry.domain.origin import Clone, CloneUpdate, Origin, update_clone
from tenantry.storage.repositories import agent_origins, audit
from tenantry.storage.tenancy import Database, TenantTx

# How many clones change at once, or not at all: enough that a thousand take seconds, few enough that whoever else
# changes one of them does not wait for long.
_BATCH = 100


async def update_clones(
    db: Database, who: Principal, newest: Origin, allowed: Collection[str], body: ClonesUpdateIn
) -> ClonesUpdateOut:
    """Bring what is new to the clones that they may change, batch by batch. What a killed run did not reach is `behind`
    still, and the next one finds it so; what it reached is not changed again."""
    results: list[CloneResultOut] = []
    after, more = body.after, True
    while more and len(results) < body.limit:
        size = min(_BATCH, body.limit - len(results))
        async with db.tenant(who.tenant_id) as tx:
            clones = await agent_origins.lock_clones(
                tx, newest, changes_only=who.sees_only, after=after, limit=size + 1
            )
            clones, more = clones[:size], len(clones) > size
            results += await _update_batch(tx, who, clones, newest, allowed, body)
        after = clones[-1].agent.id if clones else after
    outcomes = [result.outcome for result in results]
    return ClonesUpdateOut(
        dry_run=body.dry_run,
        source=SourceOut.of(newest),
        version=newest.version,
        counts={outcome: outcomes.count(outcome) for outcome in ("updated", "unchanged", "conflicts", "failed")},
        items=results,
        next_cursor=after if more else None,
    )


async def _update_batch(
    tx: TenantTx,
    who: Principal,
    clones: Sequence[Clone],
    newest: Origin,
    allowed: Collection[str],
    body: ClonesUpdateIn,
) -> list[CloneResultOut]:
    results: list[CloneResultOut] = []
    updates: list[CloneUpdate] = []
    for clone in clones:
        # A merge takes milliseconds; whoever else is served does not wait for all of them.
        await asyncio.sleep(0)
        if not clone.origin.is_older_than(newest):
            results.append(CloneResultOut.without_update(clone, "unchanged"))
            continue
        update = update_clone(clone, newest, publish=body.publish)
        faults = _faults(update, allowed)
        if faults is not None:
            results.append(CloneResultOut.without_update(clone, "failed", faults))
            continue
        updates.append(update)
        results.append(CloneResultOut.of(update))
    if updates and not body.dry_run:
        await store_updates(tx, who, updates, newest, body.note)
    return results


async def store_updates(
    tx: TenantTx, who: Principal, updates: Sequence[CloneUpdate], newest: Origin, note: str
) -> None:
    """Keep updates to `newest` of clones that are locked, which the audit log tells of each."""
    told = f"Takes {newest.shown}. {note}".strip()
    await agent_origins.store(tx, updates, newest, by=who.actor, note=told)
    source = newest.built_in or str(newest.template_agent_id)
    entries = [
        (
            f"agent:{update.clone.agent.id}",
            {
                "source": source,
                "version": newest.version,
                "published": update.published is not None,
                "taken": [change.path for change in update.taken],
                "conflicts": [conflict.path for conflict in update.conflicts],
            },
        )
        for update in updates
    ]
    await audit.record_all(tx, actor=who.actor, action="agent.origin_taken", entries=entries)


def validate_update(update: CloneUpdate, allowed: Collection[str]) -> None:
    """Raises InvalidInput when what would be the draft or would answer is not valid."""
    for definition in _new_definitions(update):
        validate_definition(definition, allowed)


def _new_definitions(update: CloneUpdate) -> set[AgentDefinition]:
    made = {update.draft} if update.changes_draft else set[AgentDefinition]()
    return made | ({update.published} if update.published is not None else set())


def _faults(update: CloneUpdate, allowed: Collection[str]) -> list[FieldErrorOut] | None:
    try:
        validate_update(update, allowed)
    except InvalidInput as error:
        return [FieldErrorOut.of(fault) for fault in error.errors]
    return None
