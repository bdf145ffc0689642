"""What both sides of a call said, in order, and how long it typically took."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

from tenantry.domain.call import CallerWords, Utterance, in_order, typical_timings

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def words(number: int, turn_id: UUID) -> CallerWords:
    return CallerWords(turn_id, number, f"caller {number}", NOW)


def said(position: int, turn_id: UUID | None, **timings: float) -> Utterance:
    return Utterance(position, turn_id, f"agent {position}", f"agent {position}", False, timings)


def test_what_the_agent_says_follows_what_it_answers() -> None:
    first, second, third = uuid4(), uuid4(), uuid4()
    # The second was never answered: the caller went on, which was the third.
    callers = [words(1, first), words(2, second), words(3, third)]
    agents = [said(1, None), said(2, first), said(3, first), said(4, None), said(5, third)]
    told = [line.text if isinstance(line, CallerWords) else line.said for line in in_order(callers, agents)]
    assert told == ["agent 1", "caller 1", "agent 2", "agent 3", "agent 4", "caller 2", "caller 3", "agent 5"]


def test_what_was_not_answered_comes_last_and_what_is_of_no_turn_here_stays_in_place() -> None:
    callers = [words(7, uuid4())]
    agents = [said(1, uuid4())]
    assert in_order(callers, agents) == [*agents, *callers]
    assert in_order([], []) == []


def test_typical_timings_are_medians_of_those_that_have_the_stage() -> None:
    agents = [said(1, None), said(2, None, first_text=10, first_audio=100), said(3, None, first_text=30), said(4, None)]
    assert typical_timings([*agents, said(5, None, first_text=500.06)]) == {"first_audio": 100, "first_text": 30}
    assert typical_timings(agents) == {"first_audio": 100, "first_text": 20}
    assert typical_timings([]) == {}
