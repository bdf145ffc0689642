"""`/api/v1/sites`, for the tenant's keys, owners and admins."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from fastapi import APIRouter, status

from tenantry.api.common import Db
from tenantry.api.sites.schemas import SiteIn, SiteList, SiteOut
from tenantry.auth.principals import CanEditSites, CanReadSites
from tenantry.auth.site_keys import make_site_key
from tenantry.domain.access import Principal
from tenantry.domain.errors import FieldError, Forbidden, InvalidInput, NotFound
from tenantry.domain.site_origin import parse_origin
from tenantry.storage.repositories import agents, audit, sites
from tenantry.storage.tenancy import TenantTx

router = APIRouter(prefix="/api/v1/sites", tags=["sites"])


@router.get("")
async def list_sites(who: CanReadSites, db: Db) -> SiteList:
    """The tenant's sites, with their public keys."""
    _require_whole_tenant(who)
    async with db.tenant(who.tenant_id) as tx:
        return SiteList(items=[SiteOut.of(site) for site in await sites.list_all(tx)])


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_site(body: SiteIn, who: CanEditSites, db: Db) -> SiteOut:
    """Let a web site open calls, by a public key of its own."""
    _require_whole_tenant(who)
    origins, agent_ids = _origins(body.origins), list(dict.fromkeys(body.agent_ids))
    async with db.tenant(who.tenant_id) as tx:
        await _require_agents(tx, agent_ids)
        site = await sites.create(tx, body.name, make_site_key(who.tenant_id), origins, agent_ids)
        await _record(tx, who, "site.created", site.id, {"origins": origins})
    return SiteOut.of(site)


@router.put("/{site_id}")
async def change_site(site_id: UUID, body: SiteIn, who: CanEditSites, db: Db) -> SiteOut:
    """Change a site; its public key stays."""
    _require_whole_tenant(who)
    origins, agent_ids = _origins(body.origins), list(dict.fromkeys(body.agent_ids))
    async with db.tenant(who.tenant_id) as tx:
        await _require_agents(tx, agent_ids)
        site = await sites.change(tx, site_id, body.name, origins, agent_ids)
        if site is None:
            raise NotFound
        await _record(tx, who, "site.changed", site_id, {"origins": origins})
    return SiteOut.of(site)


@router.delete("/{site_id}", status_code=status.HTTP_204_NO_CONTENT)
async def remove_site(site_id: UUID, who: CanEditSites, db: Db) -> None:
    """Remove a site: its key opens no more calls; those that are there go on."""
    _require_whole_tenant(who)
    async with db.tenant(who.tenant_id) as tx:
        if not await sites.remove(tx, site_id):
            raise NotFound
        await _record(tx, who, "site.removed", site_id, {})


def _origins(texts: Sequence[str]) -> list[str]:
    origins: list[str] = []
    faults: list[FieldError] = []
    for place, text in enumerate(texts):
        try:
            origins.append(parse_origin(text))
        except ValueError as error:
            faults.append(FieldError(f"origins.{place}", str(error)))
    if faults:
        raise InvalidInput("Give the origins as browsers name them; correct the named fields.", errors=faults)
    return list(dict.fromkeys(origins))


async def _require_agents(tx: TenantTx, agent_ids: Sequence[UUID]) -> None:
    matching = agents.AgentFilter(ids=tuple(agent_ids), archived=True)
    there = {agent.id for agent in await agents.list_page(tx, sees_only=None, limit=len(agent_ids), matching=matching)}
    faults = [
        FieldError(f"agent_ids.{place}", "is no agent of this tenant")
        for place, agent_id in enumerate(agent_ids)
        if agent_id not in there
    ]
    if faults:
        raise InvalidInput("A site calls agents of its own tenant; correct the named fields.", errors=faults)


async def _record(tx: TenantTx, who: Principal, action: str, site_id: UUID, details: Mapping[str, Any]) -> None:
    await audit.record(tx, actor=who.actor, action=action, target=f"site:{site_id}", details=details)


def _require_whole_tenant(who: Principal) -> None:
    if not who.whole_tenant:
        raise Forbidden("Sites are the whole tenant's: use a tenant's key, or that of an owner or admin.")
