"""The feeds of calendars: a secret opens one calendar, and nothing but the secret does."""

import base64
from collections.abc import Iterator
from uuid import UUID

from tenantry.auth.tenant_secrets import make_secret
from tenantry.cli.prove.http import Request, Wire
from tenantry.cli.prove.world import Party, World
from tenantry.storage.isolation.crossing import Crossing

_BORDER = "feeds"
_ROUTE = "GET /calendar/feeds/{secret}.ics"


async def attack(wire: Wire, world: World) -> list[Crossing]:
    """Ask for each feed by what is nearly its secret, and by the secret itself."""
    found: list[Crossing] = []
    every = frozenset(mark for side in (world.a, world.b) for party in side.parties for mark in party.marks)
    nothing = await wire.send(None, _request(make_secret(UUID(int=0))))
    for target in (world.victim, world.a.own):
        what = f"{_ROUTE} of {'a member' if target.member_id else 'the tenant'}"
        for name, secret in _nearly(world, target):
            request = _request(secret)
            answer = await wire.send(None, request)
            leaked = answer.holds_any(every, request)
            same = answer == nothing and answer.status == 404
            got = f"{answer.status}, {'as for any other' if same else 'another answer'}"
            found.append(Crossing(_BORDER, name, what, "404, as for any other", got, held=same and not leaked))
        found.append(await _control(wire, what, target, every - target.marks))
    return found


async def _control(wire: Wire, what: str, target: Party, others: frozenset[str]) -> Crossing:
    request = _request(target.feed_secret)
    answer = await wire.send(None, request)
    leaked = answer.holds_any(others, request)
    shown = str(target.booking_id) in answer.text
    got = f"{answer.status}, {'its own' if shown else 'without its own'}" + (", with others'" if leaked else "")
    return Crossing(_BORDER, "its secret", what, "200, its own", got, answer.status == 200 and shown and not leaked)


def _nearly(world: World, target: Party) -> Iterator[tuple[str, str]]:
    secret = target.feed_secret
    raw, other = (base64.urlsafe_b64decode(of) for of in (secret, world.b.first.feed_secret))
    yield "a made-up secret", "made-up"
    yield "a fresh secret nobody was given", make_secret(target.tenant_id)
    yield "a secret with a wrong end", secret[:-4] + ("AAAA" if secret[-4:] != "AAAA" else "BBBB")
    yield "another tenant's secret under this tenant's id", _encoded(raw[:16] + other[16:])
    yield "this secret under another tenant's id", _encoded(other[:16] + raw[16:])
    yield "a key of the owner", target.key


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


def _request(secret: str) -> Request:
    return Request("GET", f"/calendar/feeds/{secret}.ics")
