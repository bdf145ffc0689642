"""What is to be done about a call, by what is known of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tenantry.channels.livekit_voice.verdicts import (
    Dispatch,
    End,
    Nothing,
    Present,
    Watch,
    is_well,
    of_room,
    of_socket,
    unknown,
)
from tenantry.domain.call import Call, CallStatus, EndReason
from tenantry.domain.ids import new_id

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CALL = Call(
    tenant_id=new_id(),
    id=new_id(),
    conversation_id=new_id(),
    agent_id=new_id(),
    owner_member_id=None,
    room="call-1",
    participant="caller-1",
    transport="livekit",
    kinds=(),
    site_id=None,
    status=CallStatus.WAITING,
    recognition="",
    speech="",
    local=None,
    claims=0,
    dispatches=1,
    created_at=NOW,
    dispatched_at=NOW,
    answered_at=None,
    agent_seen_at=None,
    caller_seen_at=None,
    hang_up=None,
    ended_at=None,
    end_reason=None,
)
CALLER, BOTH, NOBODY = Present({"caller-1"}), Present({"caller-1"}, {"agent-1"}), Present()
FIRST, NEXT = timedelta(seconds=3), timedelta(seconds=6)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_a_call_with_a_caller_gets_an_agent_soon_and_not_too_often() -> None:
    watch = Watch()
    assert of_room(CALL, CALLER, watch, after(2)) == Nothing()
    assert of_room(CALL, CALLER, watch, after(3)) == Dispatch(FIRST, frozenset())
    watch.dispatches = 1
    asked = replace(CALL, dispatched_at=after(3))
    assert of_room(asked, CALLER, watch, after(8)) == Nothing()
    assert of_room(asked, CALLER, watch, after(9)) == Dispatch(NEXT, frozenset())
    assert of_room(asked, CALLER, watch, after(62)) == Dispatch(NEXT, frozenset())
    assert of_room(asked, CALLER, watch, after(63)) == End(EndReason.AGENT_LOST)


def test_a_dead_agent_is_followed_by_another_one() -> None:
    spoken_for = replace(CALL, claims=1, agent_seen_at=after(30), caller_seen_at=after(30))
    assert is_well(spoken_for, after(34))
    assert not is_well(spoken_for, after(35))
    assert of_room(spoken_for, CALLER, Watch(), after(35)) == Dispatch(FIRST, frozenset())
    # Its connection stands: it may only be slow.
    assert of_room(spoken_for, BOTH, Watch(), after(36)) == Nothing()
    assert of_room(spoken_for, BOTH, Watch(), after(37)) == Dispatch(FIRST, {"agent-1"})
    # Its worker has seen it die.
    lost = replace(spoken_for, agent_seen_at=None)
    assert of_room(lost, BOTH, Watch(), after(31)) == Dispatch(FIRST, {"agent-1"})


def test_an_agent_that_came_ends_the_wait() -> None:
    watch = Watch()
    of_room(CALL, CALLER, watch, after(10))
    assert of_room(replace(CALL, agent_seen_at=after(65)), BOTH, watch, after(66)) == Nothing()
    later = replace(CALL, agent_seen_at=after(65), dispatched_at=after(70))
    assert of_room(later, CALLER, watch, after(90)) == Dispatch(FIRST, frozenset())


@pytest.mark.parametrize("agent_seen_at", [None, after(200)])
def test_rooms_that_nobody_is_in_are_ended(agent_seen_at: datetime | None) -> None:
    waiting = replace(CALL, agent_seen_at=agent_seen_at)
    assert of_room(waiting, NOBODY, Watch(), after(190)) == Nothing()
    assert of_room(waiting, NOBODY, Watch(), after(191)) == End(EndReason.NOT_JOINED)
    left = replace(waiting, caller_seen_at=after(180))
    assert of_room(left, NOBODY, Watch(), after(195)) == Nothing()
    assert of_room(left, NOBODY, Watch(), after(196)) == End(EndReason.CALLER_LEFT)


def test_hanging_up_is_obeyed_or_done() -> None:
    asked, watch = replace(CALL, agent_seen_at=after(9), hang_up=EndReason.HUNG_UP), Watch()
    assert not is_well(asked, after(10))
    assert of_room(asked, BOTH, watch, after(10)) == Nothing()
    assert of_room(replace(asked, agent_seen_at=after(15)), BOTH, watch, after(16)) == End(EndReason.HUNG_UP)
    assert of_room(replace(asked, agent_seen_at=None), CALLER, Watch(), after(10)) == End(EndReason.HUNG_UP)
    assert of_socket(replace(asked, agent_seen_at=None), Watch(), after(10)) == End(EndReason.HUNG_UP)


def test_nobody_is_sent_away_while_livekit_is() -> None:
    watch = Watch()
    assert unknown(CALL, watch, after(10)) == Nothing()
    assert unknown(CALL, watch, after(610)) == Nothing()
    assert unknown(CALL, watch, after(611)) == End(EndReason.ERROR)
    of_room(CALL, CALLER, watch, after(612))
    assert unknown(CALL, watch, after(613)) == Nothing()
    assert unknown(replace(CALL, agent_seen_at=after(1300)), watch, after(1301)) == Nothing()


def test_a_call_over_our_own_socket_ends_when_its_server_is_gone() -> None:
    assert of_socket(CALL, Watch(), after(190)) == Nothing()
    assert of_socket(CALL, Watch(), after(191)) == End(EndReason.NOT_JOINED)
    spoken_for, watch = replace(CALL, claims=1, agent_seen_at=after(20)), Watch()
    assert of_socket(spoken_for, watch, after(24)) == Nothing()
    assert of_socket(spoken_for, watch, after(30)) == Nothing()
    assert of_socket(spoken_for, watch, after(90)) == Nothing()
    assert of_socket(spoken_for, watch, after(91)) == End(EndReason.AGENT_LOST)
