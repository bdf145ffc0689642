"""`/api/v1/secrets`: what functions of agents send to services, by name; values go in and never out."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, status

from tenantry.api.common import Cursor, Db, EngineResources, Limit, cut_page
from tenantry.api.secrets.schemas import SecretIn, SecretOut, SecretPage
from tenantry.auth.principals import CanEditSecrets, CanReadSecrets
from tenantry.domain.access import Principal
from tenantry.domain.errors import Forbidden, NotFound
from tenantry.domain.provider import validate_secret
from tenantry.storage.repositories import audit, secrets

router = APIRouter(prefix="/api/v1/secrets", tags=["secrets"])

Name = Annotated[str, Path(max_length=64, description="Letters, digits, dots, dashes and underscores.")]
Owner = Annotated[
    UUID | None,
    Query(description="Whose it is, for keys of the whole tenant: a member's, else the tenant's own."),
]


@router.get("")
async def list_secrets(who: CanReadSecrets, db: Db, cursor: Cursor = None, limit: Limit = 50) -> SecretPage:
    """The names of the secrets that the key can see: a member's own and the tenant's."""
    async with db.tenant(who.tenant_id) as tx:
        found = await secrets.list_page(tx, sees_only=who.sees_only, before=cursor, limit=limit + 1)
    page, next_cursor = cut_page(found, limit, lambda secret: secret.id)
    return SecretPage(items=[SecretOut.of(secret) for secret in page], next_cursor=next_cursor)


@router.put("/{name}")
async def put_secret(
    name: Name, body: SecretIn, who: CanEditSecrets, db: Db, resources: EngineResources, owner_member_id: Owner = None
) -> SecretOut:
    """Keep a secret, in the place of the owner's one with its name."""
    owner = _owner(who, owner_member_id)
    async with db.tenant(who.tenant_id) as tx:
        secret = await resources.secrets.put(tx, owner, name, body.value.get_secret_value())
        await audit.record(tx, actor=who.actor, action="secret.put", target=f"secret:{secret.id}")
    return SecretOut.of(secret)


@router.delete("/{name}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_secret(name: Name, who: CanEditSecrets, db: Db, owner_member_id: Owner = None) -> None:
    """Remove a secret."""
    validate_secret(name)
    owner = _owner(who, owner_member_id)
    async with db.tenant(who.tenant_id) as tx:
        secret_id = await secrets.delete(tx, owner, name)
        if secret_id is None:
            raise NotFound("The owner has no secret of this name; GET /api/v1/secrets lists the names.")
        await audit.record(tx, actor=who.actor, action="secret.deleted", target=f"secret:{secret_id}")


def _owner(who: Principal, asked: UUID | None) -> UUID | None:
    owner = asked if who.whole_tenant else asked or who.member_id
    if not who.may_change(owner):
        raise Forbidden("This key may only change secrets of its own member.")
    return owner
