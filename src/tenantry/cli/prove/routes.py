"""Every route of the application, tried under every key that must not open it."""

import asyncio
import base64
from collections.abc import Iterator
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from tenantry.auth.api_keys import make_key
from tenantry.cli.prove.call_cases import CALL_CASES
from tenantry.cli.prove.cases import ALLOWED, BY_SECRET, CASES, ONLY_OWN, OPERATOR, PUBLIC, Case
from tenantry.cli.prove.http import Answer, Request, Wire
from tenantry.cli.prove.world import Party, World
from tenantry.domain.access import READING
from tenantry.storage.isolation.crossing import Crossing, untried
from tenantry.storage.isolation.seeding import keep_calling
from tenantry.storage.isolation.tables import fingerprints
from tenantry.storage.tenancy import Database

BORDER = "routes"
READS = frozenset({"GET"})


def routes_of(app: FastAPI) -> list[str]:
    """`METHOD /path` of all that the application answers, in its own order; a mount or a socket is one too."""
    found: list[str] = []
    for context in iter_route_contexts(app.routes):
        methods = sorted(context.methods or ())
        # Starlette adds HEAD to every GET of its own.
        kinds = [m for m in methods if m != "HEAD"] or [type(context.original_route).__name__]
        found += [f"{kind} {context.path_format or context.path}" for kind in kinds]
    return found


@dataclass(frozen=True, slots=True)
class Intruder:
    """Somebody with a key who must get one of `statuses` (empty: they are no intruder here)."""

    name: str
    key: str | None
    statuses: frozenset[int]
    marks: frozenset[str]


async def attack(wire: Wire, db: Database, world: World, app: FastAPI) -> list[Crossing]:
    """Try every route. One that has neither a case nor a reason to be public is a failure."""
    found: list[Crossing] = []
    for route in _in_order(routes_of(app)):
        if route in BY_SECRET:
            continue
        if route in PUBLIC:
            found.append(await _public(wire, world, route))
        elif route in OPERATOR:
            found += await _operators(wire, world, route)
        elif route in CASES:
            for target in (world.victim, world.a.own)[: 2 if CASES[route].tenants_too else 1]:
                found += await _route(wire, db, world, route, CASES[route], target)
        else:
            found.append(untried(BORDER, f"route {route}", f"route {route} has no case"))
    gone = {*CASES, *OPERATOR, *BY_SECRET} - set(routes_of(app))
    found += [untried(BORDER, f"route {route}", "the route is gone") for route in sorted(gone)]
    return found


def _in_order(routes: list[str]) -> list[str]:
    """Each route once. What deletes comes last, in the order of the cases, as the control really does it."""
    places = {route: place for place, route in enumerate(CASES)}
    return sorted(dict.fromkeys(routes), key=lambda route: (route.startswith("DELETE "), places.get(route, 0)))


async def _public(wire: Wire, world: World, route: str) -> Crossing:
    method, _, path = route.partition(" ")
    request = Request(method, path)
    answer = await wire.send(None, request)
    marks = frozenset(mark for side in (world.a, world.b) for party in side.parties for mark in party.marks)
    leaked = answer.holds_any(marks, request)
    got = f"{answer.status}, {_holds(leaked)}"
    expected = f"public, {PUBLIC[route]}; nothing of a tenant"
    return Crossing(BORDER, "no key", route, expected, got, held=answer.status == 200 and not leaked)


async def _operators(wire: Wire, world: World, route: str) -> list[Crossing]:
    method, _, path = route.partition(" ")
    request = Request(method, path)
    marks = frozenset(mark for side in (world.a, world.b) for party in side.parties for mark in party.marks)
    # Not there at all where the operator has not set it up.
    unopened = frozenset({401, 404})
    intruders = [Intruder("no key", None, unopened, marks), Intruder("a made-up key", "tnt_made-up", unopened, marks)]
    for side, whose in ((world.a, "a tenant's"), (world.b, "another tenant's")):
        keys = {"member": side.first.key, "owner": side.owner_key, "viewer": side.viewer_key, "own": side.own.key}
        intruders += [Intruder(f"{whose} {name} key", key, unopened, marks) for name, key in keys.items()]
    return [
        _verdict(route, intruder, request, await wire.send(intruder.key, request), changed=[]) for intruder in intruders
    ]


async def _route(wire: Wire, db: Database, world: World, route: str, case: Case, target: Party) -> list[Crossing]:
    request = case.request(target)
    whose = f"{route} of {'a member' if target.member_id else 'the tenant'}"
    found: list[Crossing] = []
    for intruder in _intruders(world, case, target):
        if intruder.statuses == ALLOWED:
            continue
        before = None if request.method in READS else await fingerprints(db, target.tenant_id)
        answer = await wire.send(intruder.key, request)
        after = None if request.method in READS else await fingerprints(db, target.tenant_id)
        found.append(_verdict(whose, intruder, request, answer, changed=_changed(before, after)))
    found.append(await _control(wire, world, whose, case, target))
    if route in CALL_CASES:
        # Else a server that ends what the control opened or hung up would be taken for the next intruder.
        async with db.tenant(target.tenant_id) as tx:
            await keep_calling(tx)
    return found


def _verdict(whose: str, intruder: Intruder, request: Request, answer: Answer, *, changed: list[str]) -> Crossing:
    leaked = answer.holds_any(intruder.marks, request)
    got = f"{answer.status}, {_holds(leaked)}" + (f", changed {', '.join(changed)}" if changed else "")
    wanted = " or ".join(str(status) for status in sorted(intruder.statuses))
    expected = f"{wanted} without the other's" if intruder.statuses == ONLY_OWN else wanted
    held = answer.status in intruder.statuses and not leaked and not changed
    return Crossing(BORDER, intruder.name, whose, expected, got, held)


async def _control(wire: Wire, world: World, whose: str, case: Case, target: Party) -> Crossing:
    """The rightful owner gets through: a route that refuses everyone proves nothing."""
    request = case.request(target)
    # What concerns the whole client is not for a member who only edits.
    key = world.a.own.key if _for_whole_tenant(case) else target.key
    answer = await wire.send(key, request)
    if answer.status == 202:
        await _turn_done(wire, key, answer)
    shown = case.shows is None or case.shows(target) in answer.text
    got = f"{answer.status}" + ("" if shown else ", without what is theirs")
    return Crossing(BORDER, "its owner", whose, f"{case.control}", got, answer.status == case.control and shown)


async def _turn_done(wire: Wire, key: str, accepted: Answer) -> None:
    """Wait for the turn that was accepted, which would be taken for what the next intruder did."""
    turn = Request("GET", f"/api/v1/turns/{accepted.field('turn_id')}")
    while (await wire.send(key, turn)).field("status") != "done":  # noqa: ASYNC110 - it ends in the server
        await asyncio.sleep(0.02)


def _for_whole_tenant(case: Case) -> bool:
    return case.member == case.tenants


def _intruders(world: World, case: Case, target: Party) -> Iterator[Intruder]:
    of_target, of_tenant = target.marks, frozenset(mark for party in world.a.parties for mark in party.marks)
    unknown = frozenset({401})
    garbled = target.key[:-4] + ("AAAA" if target.key[-4:] != "AAAA" else "BBBB")
    yield Intruder("no key", None, unknown, of_tenant)
    yield Intruder("a made-up key", "tnt_made-up", unknown, of_tenant)
    yield Intruder("a key with a wrong secret", garbled, unknown, of_tenant)
    yield Intruder("a fresh key nobody gave", make_key(target.tenant_id), unknown, of_tenant)
    yield Intruder("a revoked key", world.dead.revoked, unknown, of_tenant)
    yield Intruder("a removed member's key", world.dead.removed_members, unknown, of_tenant)
    yield Intruder("another tenant's key under this tenant's id", _swapped(world), unknown, of_tenant)
    forbidden = frozenset({403})
    yield Intruder(f"a key without {case.scope}", world.dead.without[case.scope], forbidden, of_tenant)
    other = case.member if target.member_id else case.tenants
    yield Intruder("a viewer's key", world.a.viewer_key, other if case.scope in READING else forbidden, of_target)
    yield Intruder("the other member", world.neighbour.key, other, of_target)
    strange = world.b
    stranger_viewer = case.stranger if case.scope in READING else forbidden
    yield Intruder("another tenant's member", strange.first.key, case.stranger, of_tenant)
    yield Intruder("another tenant's owner", strange.owner_key, case.stranger, of_tenant)
    yield Intruder("another tenant's key", strange.own.key, case.stranger, of_tenant)
    yield Intruder("another tenant's viewer", strange.viewer_key, stranger_viewer, of_tenant)


def _swapped(world: World) -> str:
    """A working secret of the other tenant behind the id of the victim's: a key's first 16 bytes say whose it is."""
    raw = base64.urlsafe_b64decode(world.b.own.key.removeprefix("tnt_"))
    return "tnt_" + base64.urlsafe_b64encode(world.a.tenant_id.bytes + raw[16:]).decode()


def _changed(before: dict[str, str] | None, after: dict[str, str] | None) -> list[str]:
    if before is None or after is None:
        return []
    return sorted(name for name in before if before[name] != after.get(name))


def _holds(leaked: list[str]) -> str:
    return f"with the victim's {', '.join(leaked[:3])}" if leaked else "nothing of the victim's"
