"""What is to be done about a call, from what the database and the LiveKit server know of it. Nothing is asked here."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from tenantry.domain.call import Call, EndReason

# A process says every two seconds that it lives; one whose connection to the room stands gets a little longer.
SILENT = timedelta(seconds=5)
_SILENT_IN_ROOM = timedelta(seconds=7)
# How long a worker has for a job, at first and once it was asked for again.
_FIRST_WAIT = timedelta(seconds=3)
_NEXT_WAIT = timedelta(seconds=6)
# The token's two minutes, the one that the server allows for clocks that differ, and a little for joining.
_JOINS_WITHIN = timedelta(seconds=190)
_COMES_BACK_WITHIN = timedelta(seconds=15)
_WAITS_AT_MOST = timedelta(seconds=60)
_OBEYS_WITHIN = timedelta(seconds=5)
_UNKNOWN_AT_MOST = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Present:
    """Who is in a room, by their identities."""

    callers: Collection[str] = frozenset()
    agents: Collection[str] = frozenset()


@dataclass(slots=True)
class Watch:
    """Since when this process sees something of a call, None while it does not: that its caller is without an agent
    (`dispatches`: for how often one was asked since), that it is to hang up, that its room cannot be looked at."""

    alone: datetime | None = None
    dispatches: int = 0
    hangs_up: datetime | None = None
    unknown: datetime | None = None


@dataclass(frozen=True, slots=True)
class Nothing:
    """The call is well, or it is too early to say."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """An agent is to be asked for, unless one was within `not_since`; those that are dead are to leave."""

    not_since: timedelta
    dead: Collection[str]


@dataclass(frozen=True, slots=True)
class End:
    """The call is over."""

    reason: EndReason


Verdict = Nothing | Dispatch | End


def agent_lives(call: Call, now: datetime) -> bool:
    """Whether a process speaks for the call, as far as it has said so."""
    return call.agent_seen_at is not None and now - call.agent_seen_at < SILENT


def is_well(call: Call, now: datetime) -> bool:
    """Whether nobody has to look after the call: its agent lives and knows of its caller."""
    seen = call.caller_seen_at or call.created_at
    return agent_lives(call, now) and call.hang_up is None and now - seen < _COMES_BACK_WITHIN


def of_room(call: Call, present: Present, watch: Watch, now: datetime) -> Verdict:
    """What to do about a call in a LiveKit room that is not well; `watch` is kept up to date."""
    watch.unknown = None
    lives = agent_lives(call, now)
    if (hung_up := _hung_up(call, watch, now, lives=lives)) is not None:
        return hung_up
    if call.participant not in present.callers:
        watch.alone = None
        return _without_caller(call, now)
    if lives:
        watch.alone, watch.dispatches = None, 0
        return Nothing()
    if present.agents and call.agent_seen_at is not None and now - call.agent_seen_at < _SILENT_IN_ROOM:
        return Nothing()
    watch.alone = watch.alone or now
    if now - watch.alone > _WAITS_AT_MOST:
        return End(EndReason.AGENT_LOST)
    wait = _NEXT_WAIT if watch.dispatches else _FIRST_WAIT
    if call.dispatched_at is not None and now - call.dispatched_at < wait:
        return Nothing()
    return Dispatch(wait, present.agents)


def of_socket(call: Call, watch: Watch, now: datetime) -> Verdict:
    """What to do about a call over our own WebSocket, whose server ends it as long as that lives itself."""
    lives = agent_lives(call, now)
    if (hung_up := _hung_up(call, watch, now, lives=lives)) is not None:
        return hung_up
    if call.claims == 0:
        return _without_caller(call, now)
    watch.alone = None if lives else watch.alone or now
    lost = watch.alone is not None and now - watch.alone > _WAITS_AT_MOST
    return End(EndReason.AGENT_LOST) if lost else Nothing()


def unknown(call: Call, watch: Watch, now: datetime) -> Verdict:
    """What to do while the LiveKit server does not answer: nobody is sent away for that, for a long time."""
    watch.unknown = watch.unknown or now
    lost = now - watch.unknown > _UNKNOWN_AT_MOST and not agent_lives(call, now)
    return End(EndReason.ERROR) if lost else Nothing()


def _hung_up(call: Call, watch: Watch, now: datetime, *, lives: bool) -> Verdict | None:
    if call.hang_up is None:
        return None
    watch.hangs_up = watch.hangs_up or now
    disobeyed = not lives or now - watch.hangs_up > _OBEYS_WITHIN
    return End(call.hang_up) if disobeyed else Nothing()


def _without_caller(call: Call, now: datetime) -> Verdict:
    if call.caller_seen_at is None:
        return End(EndReason.NOT_JOINED) if now - call.created_at > _JOINS_WITHIN else Nothing()
    gone = now - call.caller_seen_at > _COMES_BACK_WITHIN
    return End(EndReason.CALLER_LEFT) if gone else Nothing()
