"""The subscriptions by which providers tell of changes in a calendar."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from tenantry.domain.calendar import Watch
from tenantry.domain.connection import ProviderName
from tenantry.storage.tenancy import Row, TenantTx


@dataclass(frozen=True, slots=True)
class KeptWatch:
    """A calendar's subscription as it is kept; without `watch`, none is known to exist at the provider."""

    ticket_hash: bytes | None
    watch: Watch | None


@dataclass(frozen=True, slots=True)
class Hook:
    """The calendar that a call of a provider is about, and what the provider has to say besides."""

    tenant_id: UUID
    remote_calendar_id: UUID
    secret_hash: bytes


def _kept_from(row: Row) -> KeptWatch:
    if row["watch_id"] is None:
        return KeptWatch(row["ticket_hash"], None)
    return KeptWatch(row["ticket_hash"], Watch(row["watch_id"], row["resource_id"], row["expires_at"]))


async def claim(tx: TenantTx, remote_calendar_id: UUID, again_after: timedelta) -> KeptWatch | None:
    """Take a calendar's subscription, which is to be made or renewed now, so that nobody else does before
    `again_after`; None when nothing is to be done."""
    row = await tx.row(
        "INSERT INTO calendar_watches AS w (tenant_id, remote_calendar_id, renew_at) "
        "VALUES ($1, $2, clock_timestamp() + $3::interval) ON CONFLICT (tenant_id, remote_calendar_id) "
        "DO UPDATE SET renew_at = excluded.renew_at WHERE w.renew_at <= clock_timestamp() "
        "RETURNING ticket_hash, watch_id, resource_id, expires_at",
        tx.tenant_id,
        remote_calendar_id,
        again_after,
    )
    return _kept_from(row) if row else None


async def begin(tx: TenantTx, remote_calendar_id: UUID, ticket_hash: bytes, secret_hash: bytes) -> None:
    """A new subscription is about to be made: from now on calls come with this ticket, and with no other."""
    await tx.execute(
        "UPDATE calendar_watches SET ticket_hash = $3, secret_hash = $4, watch_id = NULL, resource_id = '', "
        "expires_at = NULL WHERE tenant_id = $1 AND remote_calendar_id = $2",
        tx.tenant_id,
        remote_calendar_id,
        ticket_hash,
        secret_hash,
    )


async def keep(tx: TenantTx, remote_calendar_id: UUID, ticket_hash: bytes | None, watch: Watch) -> bool:
    """Keep what the provider made or renewed, to be renewed after a quarter of its time; False when the calendar has
    no subscription of this ticket any more."""
    touched = await tx.execute(
        "UPDATE calendar_watches SET watch_id = $4, resource_id = $5, expires_at = $6, "
        "renew_at = clock_timestamp() + ($6::timestamptz - clock_timestamp()) / 4 "
        "WHERE tenant_id = $1 AND remote_calendar_id = $2 AND ticket_hash = $3",
        tx.tenant_id,
        remote_calendar_id,
        ticket_hash,
        watch.id,
        watch.resource_id,
        watch.expires_at,
    )
    return touched > 0


async def drop(tx: TenantTx, remote_calendar_id: UUID) -> Watch | None:
    """End a calendar's subscription here; what there may be of it at the provider."""
    row = await tx.row(
        "DELETE FROM calendar_watches WHERE tenant_id = $1 AND remote_calendar_id = $2 "
        "RETURNING ticket_hash, watch_id, resource_id, expires_at",
        tx.tenant_id,
        remote_calendar_id,
    )
    return _kept_from(row).watch if row else None


async def find(tx: TenantTx, provider: ProviderName, ticket_hash: bytes) -> Hook | None:
    """What a call of the provider with this ticket is about."""
    row = await tx.row(
        "SELECT w.remote_calendar_id, w.secret_hash FROM calendar_watches w "
        "JOIN remote_calendars r ON r.tenant_id = w.tenant_id AND r.id = w.remote_calendar_id "
        "JOIN connections n ON n.tenant_id = r.tenant_id AND n.id = r.connection_id "
        "WHERE w.tenant_id = $1 AND w.ticket_hash = $3 AND n.provider = $2",
        tx.tenant_id,
        provider,
        ticket_hash,
    )
    return Hook(tx.tenant_id, row["remote_calendar_id"], row["secret_hash"]) if row else None
