"""`/api/v1/agents/{agent_id}/blocks`: what an agent keeps in mind."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, status

from tenantry.api.common import Db
from tenantry.api.memory.schemas import BlockIn, BlockList, BlockOut
from tenantry.api.problems import problems
from tenantry.auth.principals import CanEditAgents, CanReadAgents
from tenantry.credentials.master_key import ContactHasher
from tenantry.domain.access import Principal, Scope
from tenantry.domain.errors import Conflict, FieldError, Forbidden, InvalidInput, NotFound
from tenantry.domain.memory import LABEL_PATTERN, MOST_BLOCKS, Block
from tenantry.engine.inbound import clean_reference
from tenantry.memory.registry import DEFAULT
from tenantry.storage.repositories import agents, audit, contacts, memory_blocks
from tenantry.storage.tenancy import TenantTx

router = APIRouter(prefix="/api/v1/agents/{agent_id}/blocks", tags=["memory"])


async def _hasher(request: Request) -> ContactHasher:
    return request.app.state.runtime.resources.hasher


Hasher = Annotated[ContactHasher, Depends(_hasher)]
Label = Annotated[str, Path(pattern=LABEL_PATTERN, description="Lower-case letters, digits, `_` and `-`.")]
OfContact = Annotated[str | None, Query(alias="contact", description="The leadId of whom the blocks are about.")]


@router.get("")
async def list_blocks(
    agent_id: UUID, who: CanReadAgents, db: Db, hasher: Hasher, contact: OfContact = None
) -> BlockList:
    """The agent's own blocks and, with a contact, those about them."""
    identity = _identity(who, hasher, contact)
    if identity is not None:
        # What is known of a person comes from conversations.
        who.require(Scope.CONVERSATIONS_READ)
    async with db.tenant(who.tenant_id) as tx:
        await _require_agent(tx, agent_id, who, changes=False)
        contact_id = await _known(tx, identity)
        found = await DEFAULT.blocks(tx, agent_id, contact_id)
    return BlockList(items=[BlockOut.of(block) for block in found])


@router.put("/{label}", responses=problems(Conflict))
async def put_block(
    agent_id: UUID, label: Label, body: BlockIn, who: CanEditAgents, db: Db, hasher: Hasher
) -> BlockOut:
    """Make a block, or replace it; with a `revision`, a 409 when it was changed since that was read."""
    if len(body.value) > body.limit:
        raise InvalidInput(
            f"The value has {len(body.value)} characters and the limit is {body.limit}; shorten it or raise the limit.",
            errors=[FieldError("value", f"is longer than {body.limit} characters")],
        )
    identity = _identity(who, hasher, body.contact)
    async with db.tenant(who.tenant_id) as tx:
        await _require_agent(tx, agent_id, who, changes=True)
        contact_id = (await contacts.find_or_create(tx, [identity])).id if identity else None
        block = await _put(tx, agent_id, contact_id, label, body)
        await _audit(tx, who, "memory.changed", agent_id, contact_id, label)
    return BlockOut.of(block)


@router.delete("/{label}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_block(
    agent_id: UUID, label: Label, who: CanEditAgents, db: Db, hasher: Hasher, contact: OfContact = None
) -> None:
    """Forget a block."""
    identity = _identity(who, hasher, contact)
    async with db.tenant(who.tenant_id) as tx:
        await _require_agent(tx, agent_id, who, changes=True)
        contact_id = await _known(tx, identity)
        unknown = identity is not None and contact_id is None
        if unknown or not await memory_blocks.delete(tx, agent_id, contact_id, label):
            raise NotFound("There is no block with this label; GET the agent's blocks to see which there are.")
        await _audit(tx, who, "memory.deleted", agent_id, contact_id, label)


async def _put(tx: TenantTx, agent_id: UUID, contact_id: UUID | None, label: str, body: BlockIn) -> Block:
    block = await memory_blocks.lock(tx, agent_id, contact_id, label)
    if block is None and body.revision is None:
        if await memory_blocks.count(tx, agent_id, contact_id) >= MOST_BLOCKS:
            raise InvalidInput(f"There are {MOST_BLOCKS} blocks already; remove one, or write into one of them.")
        await memory_blocks.create(tx, agent_id, contact_id, label)
        block = await memory_blocks.lock(tx, agent_id, contact_id, label)
    if block is None or body.revision not in (None, block.revision):
        raise Conflict(f"The block is not at revision {body.revision}; read it again and repeat the change.")
    changed = await memory_blocks.change(
        tx,
        block.id,
        value=body.value,
        char_limit=body.limit,
        description=body.description,
        revision=block.revision,
    )
    if changed is None:
        raise Conflict
    return changed


def _identity(who: Principal, hasher: ContactHasher, contact: str | None) -> contacts.Identity | None:
    reference = clean_reference("contact", contact)
    return ("external", hasher.hash(who.tenant_id, "external", reference)) if reference else None


async def _known(tx: TenantTx, identity: contacts.Identity | None) -> UUID | None:
    contact = await contacts.find(tx, [identity]) if identity else None
    return contact.id if contact else None


async def _require_agent(tx: TenantTx, agent_id: UUID, who: Principal, *, changes: bool) -> None:
    agent = await agents.get(tx, agent_id, sees_only=who.sees_only)
    if agent is None:
        raise NotFound
    if not who.may_see(agent.owner_member_id):
        raise Forbidden("An agent is shared without what it remembers; that is for its owner.")
    if changes and not who.may_change(agent.owner_member_id):
        raise Forbidden("The tenant owns this agent; only its owners and admins may change what it remembers.")


async def _audit(
    tx: TenantTx, who: Principal, action: str, agent_id: UUID, contact_id: UUID | None, label: str
) -> None:
    details = {"label": label, "contact_id": str(contact_id) if contact_id else None}
    await audit.record(tx, actor=who.actor, action=action, target=f"agent:{agent_id}", details=details)
