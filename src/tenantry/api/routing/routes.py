"""`/api/v1/routing`: which agent a conversation goes to."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from tenantry.api.common import Db, EngineResources
from tenantry.api.problems import problems
from tenantry.api.routing.schemas import DryRunIn, DryRunOut, ResultsOut, RoutingIn, RoutingOut
from tenantry.auth.principals import CanEditAgents, CanReadAgents, CanReadConversations
from tenantry.domain.access import Principal
from tenantry.domain.errors import Conflict, FieldError, Forbidden, InvalidInput, NotFound
from tenantry.domain.routing import RuleSet, VariantCounts
from tenantry.engine.accept import lead_identities
from tenantry.engine.answering import chosen, facts_of
from tenantry.engine.inbound import Inbound, clean_email, clean_metadata, clean_reference, clean_tags
from tenantry.routing.faults import faults
from tenantry.storage.repositories import agent_versions, audit, contacts, routing, tenants
from tenantry.storage.tenancy import TenantTx

router = APIRouter(prefix="/api/v1/routing", tags=["routing"])


@router.get("")
async def read_routing(who: CanReadAgents, db: Db) -> RoutingOut:
    """The rules, for the tenant's keys, owners and admins."""
    require_whole_tenant(who)
    async with db.tenant(who.tenant_id) as tx:
        return RoutingOut.of(await routing.get(tx))


@router.post("/dry-run")
async def try_routing(body: DryRunIn, who: CanReadAgents, resources: EngineResources) -> DryRunOut:
    """Who would answer such a conversation, with every step that led there; nothing is written."""
    require_whole_tenant(who)
    inbound = _inbound(who, body)
    identities = lead_identities(inbound, resources.hasher)
    async with resources.db.tenant(who.tenant_id) as tx:
        rules = body.rules or (await routing.get(tx)).rules
        found = await _faults(tx, rules)
        contact = await contacts.find(tx, identities) or contacts.met_now(identities)
        if body.rules is not None and found:
            return DryRunOut.untried(found, new_user=contact.is_new)
        choice = await chosen(tx, rules, facts_of(inbound, contact, body.at or datetime.now(UTC)))
        agent_id = choice.target.agent_id if choice.target else who.tenant.active_agent_id
        serving = await agent_versions.serving(tx, agent_id, sees_only=None) if agent_id else None
    if body.agent_id is not None and serving is None:
        raise NotFound("There is no agent with this id; GET /api/v1/agents lists them.")
    version = (choice.target and choice.target.version) or (serving and serving.version)
    return DryRunOut.of(choice, agent_id, version, found, new_user=contact.is_new)


@router.get("/results")
async def read_results(
    who: CanReadConversations,
    db: Db,
    rule: Annotated[str, Query(min_length=1, max_length=64, description="The name of a rule with a split.")],
    since: Annotated[AwareDatetime | None, Query(description="Only conversations that began then or later.")] = None,
) -> ResultsOut:
    """How the variants of an A/B test do: conversations, completed, booked and escalated, with 95 % intervals."""
    require_whole_tenant(who)
    async with db.tenant(who.tenant_id) as tx:
        counts = await routing.results(tx, rule, since)
        rules = (await routing.get(tx)).rules
    return ResultsOut.of(rule, _in_order(rules, rule, counts))


@router.put("", responses=problems(Conflict))
async def change_routing(body: RoutingIn, who: CanEditAgents, db: Db) -> RoutingOut:
    """Replace the rules; the next conversation on any node goes by them. Every fault is told at once, by its field; a
    409 with the current `revision` when someone else changed them since they were read."""
    require_whole_tenant(who)
    async with db.tenant(who.tenant_id) as tx:
        await tenants.raise_settings_stamp(tx)
        if found := await _faults(tx, body.rules):
            errors = [replace(fault, field=f"rules.{fault.field}") for fault in found]
            raise InvalidInput("The rules are not valid; correct the named fields.", errors=errors)
        stored = await routing.put(tx, body.rules, revision=body.revision)
        if stored is None:
            current = (await routing.get(tx)).revision
            raise Conflict(
                f"The rules are at revision {current}, not {body.revision}; read them again and repeat the change.",
                extra={"revision": current},
            )
        details = {"revision": stored.revision}
        await audit.record(
            tx, actor=who.actor, action="routing.changed", target=f"tenant:{who.tenant_id}", details=details
        )
    return RoutingOut.of(stored)


def require_whole_tenant(who: Principal) -> None:
    """Raises Forbidden for a member who does not act for the whole tenant: rules name everybody's agents."""
    if not who.whole_tenant:
        raise Forbidden("Only a tenant's key, its owners and admins see and change routing.")


async def _faults(tx: TenantTx, rules: RuleSet) -> list[FieldError]:
    targets = [target for _, target in rules.targets()]
    return faults(rules, await routing.agents_of(tx, targets, sees_only=None, every_version=True))


def _inbound(who: Principal, body: DryRunIn) -> Inbound:
    return Inbound(
        principal=who,
        channel=body.channel,
        message="",
        agent_id=body.agent_id,
        lead_id=clean_reference("lead_id", body.lead_id),
        lead_email=clean_email("lead_email", body.lead_email),
        purpose=clean_reference("purpose", body.purpose),
        language=clean_reference("language", body.language),
        tags=clean_tags("tags", body.tags),
        metadata=clean_metadata("metadata", body.metadata),
    )


def _in_order(rules: RuleSet, name: str, counts: Sequence[VariantCounts]) -> list[VariantCounts]:
    """The counts in the order of the rule's variants, also of those that nobody got yet; then of those that it had."""
    splits = (rule.split for rule in (*rules.users, *rules.rules) if rule.name == name)
    split = next(splits, None)
    by_variant = {each.variant: each for each in counts}
    ordered = {part.variant: VariantCounts(part.variant, 0) for part in (split.parts if split else ())}
    return list((ordered | by_variant).values())
