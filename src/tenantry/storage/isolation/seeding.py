"""What the proof of isolation makes that no other part of the product does."""

from uuid import UUID

from tenantry.storage.tenancy import TenantTx

# The first half of the keys of advisory locks that a proof holds while it runs; the second is a hash of its run.
_RUNNING = 0x7072_6F76


async def claim_step(tx: TenantTx, turn_id: UUID, step: int, name: str) -> None:
    """Claim a tool call of a turn that is long done, anew each time, so that a tool which asks for its claim runs."""
    await tx.execute(
        "INSERT INTO tool_calls (tenant_id, turn_id, step, name, arguments, status) "
        "VALUES ($1, $2, $3, $4, '{}', 'claimed') ON CONFLICT (tenant_id, turn_id, step) DO UPDATE "
        "SET name = excluded.name, status = 'claimed', output = NULL",
        tx.tenant_id,
        turn_id,
        step,
        name,
    )


async def claim_unknown(tx: TenantTx, turn_id: UUID, step: int, word: str) -> None:
    """A tool call of which nobody knows what came of it."""
    await tx.execute(
        "INSERT INTO tool_calls (tenant_id, turn_id, step, name, arguments, status, output) "
        "VALUES ($1, $2, $3, 'order', $4, 'done', $5)",
        tx.tenant_id,
        turn_id,
        step,
        {"matter": word},
        {"status": "unknown", "reason": "outcome_unknown"},
    )


async def plan_removal(tx: TenantTx, connection_id: UUID, word: str) -> None:
    """An event at a provider that is to be removed there, in a calendar of the connection."""
    await tx.execute(
        "INSERT INTO remote_removals (tenant_id, id, remote_calendar_id, remote_id, starts_at, ends_at) "
        "SELECT tenant_id, gen_random_uuid(), id, $3, now(), now() FROM remote_calendars "
        "WHERE tenant_id = $1 AND connection_id = $2",
        tx.tenant_id,
        connection_id,
        word,
    )


async def count_audited(tx: TenantTx, action: str) -> int:
    """How often the audit log of the tenant has this action."""
    return await tx.value("SELECT count(*) FROM audit_log WHERE tenant_id = $1 AND action = $2", tx.tenant_id, action)


async def hold_run(tx: TenantTx, run_id: str) -> bool:
    """Hold the proof's run until the transaction ends; False when another process holds it."""
    # It stands idle for as long as the proof takes, which on a busy machine is more than a minute.
    await tx.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    return await tx.value("SELECT pg_try_advisory_xact_lock($1, hashtext($2))", _RUNNING, run_id)


async def was_marked(tx: TenantTx, actor: str, action: str) -> bool:
    """Whether the audit log of the tenant says that this actor did that to the tenant itself, by the operator."""
    return await tx.value(
        "SELECT EXISTS (SELECT FROM audit_log WHERE tenant_id = $1 AND actor = $2 AND action = $3 AND target = $4)",
        tx.tenant_id,
        actor,
        action,
        f"tenant:{tx.tenant_id}",
    )


async def people_of(tx: TenantTx, pattern: str) -> list[str]:
    """The addresses of people that match the regular expression, by the operator."""
    return [row["email"] for row in await tx.rows("SELECT email FROM users WHERE email ~ $1 ORDER BY email", pattern)]


async def look_at_nothing(tx: TenantTx) -> None:
    """Have no server that runs look at the tenant's remote calendars by itself."""
    await tx.execute("UPDATE remote_calendars SET next_sync_at = 'infinity' WHERE tenant_id = $1", tx.tenant_id)


async def keep_calling(tx: TenantTx) -> None:
    """Have the tenant's calls be taken for ones that go on for a day, so that no server that runs ends one."""
    await tx.execute(
        "UPDATE calls SET agent_seen_at = now() + interval '1 day', caller_seen_at = now() + interval '1 day', "
        "dispatched_at = now() + interval '1 day', hang_up = NULL WHERE tenant_id = $1 AND status <> 'ended'",
        tx.tenant_id,
    )
