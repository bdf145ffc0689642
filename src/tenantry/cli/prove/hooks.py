"""The calls of calendars' providers: a ticket and a secret have one calendar looked at, and nothing else does."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass

from tenantry.auth.tenant_secrets import make_secret
from tenantry.cli.prove.http import Answer, Request, Wire
from tenantry.cli.prove.world import Party, PlantedHook, World
from tenantry.storage.isolation.crossing import Crossing
from tenantry.storage.isolation.seeding import look_at_nothing
from tenantry.storage.isolation.tables import fingerprints
from tenantry.storage.tenancy import Database

_BORDER = "webhooks"
# What a right call changes: when the calendar is looked at next.
_LOOKED_AT = ["remote_calendars"]


@dataclass(frozen=True, slots=True)
class _Attempt:
    name: str
    provider: str
    ticket: str
    secret: str


async def attack(wire: Wire, db: Database, world: World) -> list[Crossing]:
    """Call as each provider with what is nearly right, and with what is."""
    found: list[Crossing] = []
    every = frozenset(mark for side in (world.a, world.b) for party in side.parties for mark in party.marks)
    for target in (world.victim, world.a.own):
        for hook in target.hooks:
            unknown = await _call(wire, hook.provider, "unknown", "unknown")
            for attempt in _nearly(world, hook):
                found.append(await _refused(wire, db, target, attempt, unknown, every))
            found.append(await _control(wire, db, target, hook))
    return found


async def _refused(
    wire: Wire, db: Database, target: Party, attempt: _Attempt, unknown: Answer, every: frozenset[str]
) -> Crossing:
    before = await fingerprints(db, target.tenant_id)
    answer = await _call(wire, attempt.provider, attempt.ticket, attempt.secret)
    changed = before != await fingerprints(db, target.tenant_id)
    same = answer == unknown and answer.status == 404
    leaked = any(mark in answer.text for mark in every)
    got = f"{answer.status}, {'as for any other' if same else 'another answer'}" + (", changed" if changed else "")
    held = same and not leaked and not changed
    return Crossing(_BORDER, attempt.name, _what(target, attempt.provider), "404, as for any other", got, held)


async def _control(wire: Wire, db: Database, target: Party, hook: PlantedHook) -> Crossing:
    before = await fingerprints(db, target.tenant_id)
    answer = await _call(wire, hook.provider, hook.ticket, hook.secret)
    after = await fingerprints(db, target.tenant_id)
    changed = sorted(name for name in before if before[name] != after.get(name))
    async with db.tenant(target.tenant_id) as tx:
        await look_at_nothing(tx)
    got = f"{answer.status}, changed {', '.join(changed) or 'nothing'}"
    held = answer.status == 202 and changed == _LOOKED_AT
    return Crossing(_BORDER, "its provider", _what(target, hook.provider), "202, looked at", got, held)


def _nearly(world: World, hook: PlantedHook) -> Iterator[_Attempt]:
    provider, ticket, secret = hook.provider, hook.ticket, hook.secret
    other = next(each for each in world.b.first.hooks if each.provider == provider)
    neighbour = next(each for each in world.neighbour.hooks if each.provider == provider)
    mine, theirs = (base64.urlsafe_b64decode(each) for each in (ticket, other.ticket))
    yield _Attempt("a fresh ticket nobody was given", provider, make_secret(hook.tenant_id), secret)
    yield _Attempt("its ticket without the secret", provider, ticket, "")
    yield _Attempt("its ticket, the other member's secret", provider, ticket, neighbour.secret)
    yield _Attempt("its ticket, another tenant's secret", provider, ticket, other.secret)
    yield _Attempt(
        "another tenant's ticket under this tenant's id", provider, _encoded(mine[:16] + theirs[16:]), secret
    )
    yield _Attempt("its ticket under another tenant's id", provider, _encoded(theirs[:16] + mine[16:]), secret)
    elsewhere = "google" if provider == "microsoft" else "microsoft"
    yield _Attempt(f"its ticket and secret as {elsewhere}", elsewhere, ticket, secret)


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


def _what(target: Party, provider: str) -> str:
    return f"POST /calendar/webhooks/{provider}/{{ticket}} of {'a member' if target.member_id else 'the tenant'}"


async def _call(wire: Wire, provider: str, ticket: str, secret: str) -> Answer:
    """Say the secret as either of the providers does."""
    request = Request("POST", f"/calendar/webhooks/{provider}/{ticket}", body={"value": [{"clientState": secret}]})
    return await wire.send(None, request, headers={"X-Goog-Channel-Token": secret})
