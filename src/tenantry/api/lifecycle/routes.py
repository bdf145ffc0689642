"""`/api/v1/retention` and `/api/v1/export`."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from tenantry.api.common import Db, EngineResources
from tenantry.api.lifecycle.schemas import TenantRetentionModel
from tenantry.api.problems import problems
from tenantry.auth.principals import CanEditContacts, CanExport, CanReadContacts
from tenantry.domain.access import Principal
from tenantry.domain.errors import ExportRunning, Forbidden, InvalidInput
from tenantry.lifecycle.export import export_tenant
from tenantry.storage.repositories import audit, retention

router = APIRouter(prefix="/api/v1", tags=["lifecycle"])


@router.get("/retention")
async def read_retention(who: CanReadContacts, db: Db) -> TenantRetentionModel:
    """How long contacts and agents that are not in use are kept."""
    async with db.tenant(who.tenant_id) as tx:
        return TenantRetentionModel.of(await retention.current(tx))


@router.put("/retention")
async def change_retention(body: TenantRetentionModel, who: CanEditContacts, db: Db) -> TenantRetentionModel:
    """Set how long they are kept; what is left out is kept for ever. For the tenant's keys, owners and admins."""
    _require_whole_tenant(who)
    if faults := [*body.contacts.faults("contacts"), *body.agents.faults("agents")]:
        raise InvalidInput("What is deleted is archived first; correct the named fields.", errors=faults)
    wanted = body.retention()
    async with db.tenant(who.tenant_id) as tx:
        await retention.put(tx, wanted)
        target = f"tenant:{who.tenant_id}"
        await audit.record(tx, actor=who.actor, action="retention.changed", target=target, details=asdict(wanted))
    return TenantRetentionModel.of(wanted)


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {"application/zip": {}},
            "description": "JSON Lines by table, recordings by call, and a manifest.",
        },
        **problems(ExportRunning),
    },
)
async def export(who: CanExport, db: Db, resources: EngineResources) -> StreamingResponse:
    """All of the tenant's data as of one moment, as a zip; for the tenant's keys, owners and admins. No sealed secret
    and no hash is in it."""
    _require_whole_tenant(who)
    pieces = export_tenant(db, resources.vault, who.tenant_id, who.actor)
    # Before the answer begins, so that what keeps it from being made is a problem and not a broken file.
    first = await anext(pieces)
    headers = {"Content-Disposition": f'attachment; filename="{who.tenant.slug}.zip"'}
    return StreamingResponse(_sent(first, pieces), media_type="application/zip", headers=headers)


async def _sent(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    async with aclosing(rest):
        yield first
        async for piece in rest:
            yield piece


def _require_whole_tenant(who: Principal) -> None:
    if not who.whole_tenant:
        raise Forbidden("This concerns the whole tenant: use a tenant's key, or that of an owner or admin.")
