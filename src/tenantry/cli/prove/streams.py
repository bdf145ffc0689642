"""Streams while a turn of the victim grows: heard, ended or spoken into by nobody else, whatever they name."""

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

from tenantry.cli.prove.http import SOCKET, Answer, Request, Wire
from tenantry.cli.prove.world import Party, World
from tenantry.domain.errors import NotFound
from tenantry.engine.live import LiveTurn
from tenantry.engine.turn import Engine
from tenantry.storage.isolation.crossing import Crossing
from tenantry.storage.isolation.tables import fingerprints
from tenantry.storage.repositories import turns

BORDER = "streams"
_GROWING = "Growing for "
_NO_FRAME = {"type": "none"}


@asynccontextmanager
async def growing(engine: Engine, victim: Party) -> AsyncGenerator[LiveTurn]:
    """A turn of the victim's conversation as it looks while its reply grows, for as long as it takes."""
    async with engine.db.tenant(victim.tenant_id) as tx:
        turn = await turns.get(tx, victim.turn_id)
        if turn is None:
            raise NotFound
        _, seq = await turns.received(tx, turn)
    live = LiveTurn(turn, seq)
    live.begun = True
    live.say(_GROWING + victim.word)
    engine.live.add(live)
    try:
        yield live
    finally:
        live.fail(NotFound())
        engine.live.remove(live)


async def attack(wire: Wire, engine: Engine, world: World) -> list[Crossing]:
    """Try to hear, to end and to speak into the turn, as the neighbour and as the other tenant; then as its owner."""
    found: list[Crossing] = []
    victim = world.victim
    async with growing(engine, victim) as live:
        for intruder in (world.neighbour, world.b.first, world.b.own):
            who = f"{intruder.name} of {intruder.slug}"
            for request, wanted in _requests(victim, intruder, live):
                answer = await wire.listen(intruder.key, request, _grows)
                found.append(_verdict(who, request, answer, wanted, _harm(live, victim, answer, request.text)))
            for request in _acts(victim):
                before = await fingerprints(engine.db, victim.tenant_id)
                answer = await wire.send(intruder.key, request)
                changed = await fingerprints(engine.db, victim.tenant_id) != before
                harm = _harm(live, victim, answer, request.text) + (", something changed" if changed else "")
                found.append(_verdict(who, request, answer, 404, harm))
            for frame in _frames(victim):
                found.append(await _frame(wire, engine, live, victim, intruder, frame))
        found += await _owner(wire, live, victim)
    return found


async def attack_twins(wire: Wire, engine: Engine, world: World) -> list[Crossing]:
    """The same in a conversation of the other tenant's own that has the very ids."""
    victim, key = world.victim, world.b.owner_key
    path, cancel = _socket(victim, "0"), Request("POST", f"/api/v1/turns/{victim.turn_id}/cancel")
    async with growing(engine, victim) as live:
        answers = (
            (_stream(victim, "0"), await wire.listen(key, _stream(victim, "0"), _grows), 200),
            (path, await wire.converse(key, path, [{"type": "cancel"}, _NO_FRAME], _answered(1)), 101),
            (cancel, await wire.send(key, cancel), 200),
        )
        harm = ", the victim's turn ended" if live.stop_reason else ""
    found: list[Crossing] = []
    for request, answer, wanted in answers:
        got = f"{answer.status}{', with the other turn' if _GROWING in answer.text else ''}{harm}"
        what = f"{request.method} {request.path}, of its own twin, while the victim's turn runs"
        found.append(Crossing(BORDER, "another tenant's owner", what, f"{wanted}", got, held=got == f"{wanted}"))
    return found


def _stream(party: Party, after: str) -> Request:
    query = {"after": after, "follow": "false"}
    return Request("GET", f"/api/v1/conversations/{party.conversation_id}/stream", query)


def _socket(party: Party, after: str) -> Request:
    return Request(SOCKET, f"/api/v1/conversations/{party.conversation_id}/socket", {"after": after})


def _cursors(victim: Party, live: LiveTurn) -> Iterator[str]:
    yield "0"
    for seq in (0, 17, live.seq):
        yield f"{seq}.{victim.turn_id.hex}.{live.attempt}.0.0"
    # Of another attempt, which a stream that has the turn answers by beginning anew.
    yield f"{live.seq}.{victim.turn_id.hex}.{live.attempt + 1}.0.0"


def _requests(victim: Party, intruder: Party, live: LiveTurn) -> Iterator[tuple[Request, int]]:
    for after in _cursors(victim, live):
        yield _stream(victim, after), 404
        yield _stream(intruder, after), 200


def _acts(victim: Party) -> Iterator[Request]:
    yield Request("POST", f"/api/v1/turns/{victim.turn_id}/cancel")
    yield Request("POST", f"/api/v1/conversations/{victim.conversation_id}/messages", body={"text": "forged"})


def _frames(victim: Party) -> Iterator[dict[str, Any]]:
    yield {"type": "cancel"}
    yield {"type": "cancel", "turn_id": str(victim.turn_id)}
    yield {"type": "cancel", "conversation_id": str(victim.conversation_id)}
    yield {"type": "message", "text": "forged", "conversation_id": str(victim.conversation_id)}
    yield {"type": "message", "text": "forged", "turn_id": str(victim.turn_id)}


async def _frame(
    wire: Wire, engine: Engine, live: LiveTurn, victim: Party, intruder: Party, frame: dict[str, Any]
) -> Crossing:
    """One frame through a socket of the intruder's own, at a cursor of the victim's turn. The frame that is none is
    answered after it."""
    before = await fingerprints(engine.db, victim.tenant_id)
    request = _socket(intruder, f"0.{victim.turn_id.hex}.{live.attempt}.0.0")
    named = len(frame) > 1
    answer = await wire.converse(intruder.key, request, [frame, _NO_FRAME], _answered(2 if named else 1))
    harm = _harm(live, victim, answer, f"{request.text} {frame}")
    harm += ", accepted" if '"type":"accepted"' in answer.text else ""
    harm += ", something changed" if await fingerprints(engine.db, victim.tenant_id) != before else ""
    who = f"{intruder.name} of {intruder.slug}"
    what = f"a {frame['type']} frame with {', '.join(list(frame)[1:]) or 'nothing else'}, through a socket of its own"
    return Crossing(BORDER, who, what, "nothing of the victim's", f"answered{harm}", held=not harm)


def _grows(heard: str) -> bool:
    return _GROWING in heard


def _answered(frames: int) -> Callable[[str], bool]:
    """Whether so many frames were answered."""
    return lambda heard: heard.count('"type":"error"') + heard.count('"type":"accepted"') >= frames


def _harm(live: LiveTurn, victim: Party, answer: Answer, sent: str) -> str:
    """What the victim would complain of; the live turn goes on as it was."""
    leaked = sorted(mark for mark in victim.marks | {_GROWING} if mark in answer.text and mark not in sent)
    stopped, live.stop_reason = live.stop_reason, None
    return (f", with the victim's {', '.join(leaked[:3])}" if leaked else "") + (", the turn ended" if stopped else "")


def _verdict(who: str, request: Request, answer: Answer, wanted: int, harm: str) -> Crossing:
    after = f" after {request.query['after']}" if "after" in request.query else ""
    whose = "the victim's" if wanted == 404 else "its own"
    what = f"{request.method} {request.path}{after}, {whose}, while the victim's turn runs"
    return Crossing(BORDER, who, what, str(wanted), f"{answer.status}{harm}", held=answer.status == wanted and not harm)


async def _owner(wire: Wire, live: LiveTurn, victim: Party) -> list[Crossing]:
    """The owner hears the reply grow, and ends it: a stream that tells nobody anything proves nothing."""
    heard = await wire.converse(victim.key, _socket(victim, str(live.seq)), [], _grows)
    found = [_control("hears the turn grow", _grows(heard.text))]
    await wire.converse(victim.key, _socket(victim, str(live.seq)), [{"type": "cancel"}, _NO_FRAME], _answered(1))
    return [*found, _control("ends the turn through its socket", live.stop_reason == "cancelled")]


def _control(what: str, held: bool) -> Crossing:
    return Crossing(BORDER, "its owner", f"{SOCKET}, {what}", "it does", "it does" if held else "it does not", held)
