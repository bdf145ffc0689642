"""The call page and its socket: the page tells of no tenant, and no key but a call's own opens the socket."""

import secrets

from tenantry.cli.prove.http import SOCKET, Request, Wire
from tenantry.cli.prove.world import World
from tenantry.storage.isolation.crossing import Crossing

_BORDER = "calls"
_PAGES = {"/call": (200, 503), "/call/assets/none.js": (404,)}  # 503 where it is not built
_SOCKET = "/api/voice/socket"


async def attack(wire: Wire, world: World) -> list[Crossing]:
    """Ask for the page with nothing, and speak in calls with everything that is no token of one."""
    every = frozenset(mark for side in (world.a, world.b) for party in side.parties for mark in party.marks)
    found: list[Crossing] = []
    for path, statuses in _PAGES.items():
        request = Request("GET", path)
        answer = await wire.send(None, request)
        leaked = answer.holds_any(every, request)
        held = answer.status in statuses and not leaked
        expected = f"{' or '.join(map(str, statuses))}; nothing of a tenant"
        found.append(Crossing(_BORDER, "no key", f"GET {path}", expected, _got(answer.status, leaked), held))
    for name, protocol in _credentials(world).items():
        request = Request(SOCKET, _SOCKET)
        offered = {"Sec-WebSocket-Protocol": f"tenantry.call.v1, {protocol}"}
        answer = await wire.send(None, request, headers=offered)
        leaked = answer.holds_any(every, request)
        held = '"error"' in answer.text and '"ready"' not in answer.text and not leaked
        got = "refused" if held else _got(answer.status, leaked)
        found.append(Crossing(_BORDER, name, f"the socket {_SOCKET}", "refused", got, held))
    return found


def _got(status: int, leaked: list[str]) -> str:
    return f"{status}, with a tenant's" if leaked else f"{status}"


def _credentials(world: World) -> dict[str, str]:
    made_up = secrets.token_urlsafe(51)
    return {
        "no token": "none",
        "a made-up token": f"bearer.{made_up}",
        "a made-up token to resume by": f"resume.{made_up}",
        "an API key of the call's tenant": f"bearer.{world.a.owner_key.rstrip('=')}",
        "an API key of another tenant": f"bearer.{world.b.owner_key.rstrip('=')}",
        "the id of the call": f"bearer.{world.victim.call_id}",
    }
