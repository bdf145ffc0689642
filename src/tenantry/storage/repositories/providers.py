"""Tenants' own providers of language models. Their keys come and go sealed."""

from dataclasses import dataclass
from uuid import UUID

import asyncpg
import msgspec

from tenantry.domain.errors import Conflict
from tenantry.domain.provider import MAX_PROVIDERS, Provider, ProviderModel, ProviderSettings, Timeouts
from tenantry.storage.repositories import tenants
from tenantry.storage.tenancy import Row, TenantTx

_COLUMNS = "tenant_id, id, name, base_url, answer_mode, models, timeouts, sealed_key, key_hint, created_at, updated_at"
_models = msgspec.json.Decoder(tuple[ProviderModel, ...])
_timeouts = msgspec.json.Decoder(Timeouts)


@dataclass(frozen=True, slots=True)
class SealedKey:
    """A key as the vault sealed it, and the end of it that may be shown."""

    sealed: bytes
    hint: str | None


@dataclass(frozen=True, slots=True)
class StoredProvider:
    """A provider with its sealed key, None when it has none."""

    provider: Provider
    sealed_key: bytes | None


def _stored_from(row: Row) -> StoredProvider:
    provider = Provider(
        tenant_id=row["tenant_id"],
        id=row["id"],
        settings=ProviderSettings(
            name=row["name"],
            base_url=row["base_url"],
            answer_mode=row["answer_mode"],
            models=_models.decode(row["models"]),
            timeouts=_timeouts.decode(row["timeouts"]),
        ),
        key_set=row["sealed_key"] is not None,
        key_hint=row["key_hint"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
    return StoredProvider(provider, row["sealed_key"])


async def list_all(tx: TenantTx) -> list[StoredProvider]:
    """The tenant's providers, the oldest first."""
    rows = await tx.rows(f"SELECT {_COLUMNS} FROM providers WHERE tenant_id = $1 ORDER BY id", tx.tenant_id)
    return [_stored_from(row) for row in rows]


async def get(tx: TenantTx, provider_id: UUID) -> StoredProvider | None:
    """One provider."""
    row = await tx.row(f"SELECT {_COLUMNS} FROM providers WHERE tenant_id = $1 AND id = $2", tx.tenant_id, provider_id)
    return _stored_from(row) if row else None


async def lock(tx: TenantTx, provider_id: UUID) -> StoredProvider | None:
    """One provider; until the transaction ends, nobody else changes the tenant's providers."""
    await tenants.raise_settings_stamp(tx)
    return await get(tx, provider_id)


async def create(tx: TenantTx, provider_id: UUID, settings: ProviderSettings, key: SealedKey | None) -> Provider:
    """A new provider. Raises Conflict when the name is taken, or when there are too many."""
    await tenants.raise_settings_stamp(tx)
    if await tx.value("SELECT count(*) FROM providers WHERE tenant_id = $1", tx.tenant_id) >= MAX_PROVIDERS:
        raise Conflict(f"A tenant has at most {MAX_PROVIDERS} providers; delete one first.")
    try:
        row = await tx.one(
            "INSERT INTO providers (tenant_id, id, name, base_url, answer_mode, models, timeouts, sealed_key, key_hint)"
            f" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING {_COLUMNS}",
            tx.tenant_id,
            provider_id,
            *_values(settings),
            key.sealed if key else None,
            key.hint if key else None,
        )
    except asyncpg.UniqueViolationError:
        raise _taken(settings) from None
    return _stored_from(row).provider


async def replace(
    tx: TenantTx, provider_id: UUID, settings: ProviderSettings, key: SealedKey | None, *, keep_key: bool
) -> Provider | None:
    """Put these settings in the place of those of a provider that `lock` gave and, unless the key is to be kept, this
    key; None when there is no such provider. Raises Conflict when the name is taken."""
    try:
        row = await tx.row(
            "UPDATE providers SET name = $3, base_url = $4, answer_mode = $5, models = $6, timeouts = $7, "
            "sealed_key = CASE WHEN $10 THEN sealed_key ELSE $8 END, "
            "key_hint = CASE WHEN $10 THEN key_hint ELSE $9 END, updated_at = now() "
            f"WHERE tenant_id = $1 AND id = $2 RETURNING {_COLUMNS}",
            tx.tenant_id,
            provider_id,
            *_values(settings),
            key.sealed if key else None,
            key.hint if key else None,
            keep_key,
        )
    except asyncpg.UniqueViolationError:
        raise _taken(settings) from None
    return _stored_from(row).provider if row else None


async def delete(tx: TenantTx, provider_id: UUID) -> bool:
    """Remove a provider and its key; False when there is none."""
    await tenants.raise_settings_stamp(tx)
    touched = await tx.execute("DELETE FROM providers WHERE tenant_id = $1 AND id = $2", tx.tenant_id, provider_id)
    return touched == 1


def _values(settings: ProviderSettings) -> tuple[object, ...]:
    return settings.name, settings.base_url, settings.answer_mode, settings.models, settings.timeouts


def _taken(settings: ProviderSettings) -> Conflict:
    return Conflict(f"There is a provider {settings.name!r} already; choose another name.")
