"""The routes of workers and of call processes: the token of a call opens that call, and no other key does."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tenantry.auth.call_tokens import make_call_token
from tenantry.auth.tenant_secrets import hash_secret
from tenantry.cli.prove.http import Request, Wire
from tenantry.cli.prove.world import Party, World
from tenantry.storage.isolation.crossing import Crossing
from tenantry.storage.isolation.seeding import keep_calling
from tenantry.storage.isolation.tables import fingerprints
from tenantry.storage.repositories import calls
from tenantry.storage.tenancy import Database

_BORDER = "calls"
_PREFIX = "tnc_"
_REFUSED = frozenset({401, 404, 409})
_UNCHANGED = "nothing is changed"


@dataclass(frozen=True, slots=True)
class _Attempt:
    name: str
    key: str | None
    request: Request


async def attack(wire: Wire, db: Database, world: World) -> list[Crossing]:
    """Speak for each call with what is nearly its token, and with it."""
    found: list[Crossing] = []
    stranger = await _token(db, world.b.first)
    neighbour = await _token(db, world.neighbour)
    every = frozenset(mark for party in world.a.parties for mark in party.marks)
    for target in (world.victim, world.a.own):
        token = await _token(db, target)
        before = await fingerprints(db, target.tenant_id)
        for attempt in _attempts(world, target, token, stranger, neighbour):
            found.append(await _refused(wire, target, attempt, every))
        changed = before != await fingerprints(db, target.tenant_id)
        got = "something is changed" if changed else _UNCHANGED
        found.append(Crossing(_BORDER, "all of them", _whose("POST /api/voice", target), _UNCHANGED, got, not changed))
        found.append(await _control(wire, target, token))
        async with db.tenant(target.tenant_id) as tx:
            await keep_calling(tx)
    return found


async def _token(db: Database, party: Party) -> str:
    """What the process of the party's call speaks by."""
    token = make_call_token(party.tenant_id)
    async with db.tenant(party.tenant_id) as tx:
        await calls.claim(tx, party.call_id, hash_secret(token), recognition="local", speech="local", local=True)
        await keep_calling(tx)
    return token


async def _refused(wire: Wire, target: Party, attempt: _Attempt, every: frozenset[str]) -> Crossing:
    answer = await wire.send(attempt.key, attempt.request)
    leaked = answer.holds_any(every, attempt.request)
    got = f"{answer.status}" + (", with the victim's" if leaked else "")
    what = _whose(f"{attempt.request.method} {attempt.request.path}", target)
    held = answer.status in _REFUSED and not leaked
    return Crossing(_BORDER, attempt.name, what, "401, 404 or 409", got, held)


async def _control(wire: Wire, target: Party, token: str) -> Crossing:
    answer = await wire.send(token, Request("POST", "/api/voice/call/beat", body=_BODIES["call/beat"]))
    what = _whose("POST /api/voice/call/beat", target)
    return Crossing(_BORDER, "its process", what, "200", f"{answer.status}", answer.status == 200)


def _whose(route: str, target: Party) -> str:
    return f"{route} of {'a member' if target.member_id else 'the tenant'}"


_BODIES: Mapping[str, Mapping[str, Any]] = {
    "tickets": {"ticket": "AAAA"},
    "claims": {"ticket": "AAAA"},
    "claims/lost": {"ticket": "AAAA", "claim": 1},
    "call/turns": {"message": "Which appointments do I have?", "idempotencyKey": "proof"},
    "call/utterances": {"position": 99, "said": "changed", "heard": "changed"},
    "call/beat": {"callerThere": True, "answered": True},
    "call/end": {"reason": "goodbye"},
    "call/recording": {},
}


def _attempts(world: World, target: Party, token: str, stranger: str, neighbour: str) -> Iterator[_Attempt]:
    mine, theirs = (base64.urlsafe_b64decode(each.removeprefix(_PREFIX)) for each in (token, stranger))
    intruders = {
        "no key": None,
        "its owner's API key": target.key,
        "another tenant's API key": world.b.own.key,
        "a fresh token nobody was given": make_call_token(target.tenant_id),
        "another tenant's token under this tenant's id": _encoded(mine[:16] + theirs[16:]),
        "its token under another tenant's id": _encoded(theirs[:16] + mine[16:]),
    }
    for name, key in intruders.items():
        for path, body in _BODIES.items():
            yield _Attempt(name, key, Request("POST", f"/api/voice/{path}", body=body))
        yield _Attempt(name, key, Request("POST", "/api/voice/call/recording", {"part": "7"}))
        yield _Attempt(name, key, Request("GET", "/api/voice/call/unspoken"))
    cut = {**_BODIES["call/utterances"], "turnId": str(target.turn_id), "interrupted": True, "heard": ""}
    for name, key in (("another tenant's call", stranger), ("the other member's call", neighbour)):
        yield _Attempt(name, key, Request("POST", "/api/voice/call/utterances", body=cut))
    # A call's own process reaches nothing but the call.
    reply = {"message": "Hello", "conversationId": str(target.conversation_id)}
    for request in (
        Request("GET", f"/api/v1/conversations/{target.conversation_id}"),
        Request("GET", f"/api/v1/calls/{target.call_id}"),
        Request("POST", "/api/agent/reply", body=reply),
        Request("POST", "/api/livekit/token", body={}),
        Request("POST", "/api/voice/claims", body=_BODIES["claims"]),
    ):
        yield _Attempt("its own process", token, request)


def _encoded(raw: bytes) -> str:
    return _PREFIX + base64.urlsafe_b64encode(raw).decode()
