"""Results of variants: the published examples of both intervals, and what they must always be."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenantry.domain.routing import VariantCounts
from tenantry.routing.results import difference, proportion, variant_result


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_published_wilson_intervals(count: int, total: int, low: float, high: float) -> None:
    found = proportion(count, total)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998) 873-890, table II, method 10.
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
    ],
)
def test_the_published_newcombe_intervals(
    one: tuple[int, int], other: tuple[int, int], low: float, high: float
) -> None:
    found = difference(proportion(*one), proportion(*other))
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)
    assert found.decided is (low > 0)


def test_nothing_is_decided_before_there_is_anything_to_count() -> None:
    nothing = proportion(0, 0)
    assert (nothing.rate, nothing.low, nothing.high) == (None, 0.0, 1.0)
    found = difference(proportion(5, 5), nothing)
    assert (found.estimate, found.low, found.high, found.decided) == (None, -1.0, 1.0, False)


def test_a_variant_has_a_proportion_of_each_kind() -> None:
    found = variant_result(VariantCounts("a", conversations=40, completed=30, booked=20, escalated=1))
    assert (found.variant, found.conversations) == ("a", 40)
    assert [each.rate for each in (found.completed, found.booked, found.escalated)] == [0.75, 0.5, 0.025]


@pytest.mark.parametrize(("count", "total"), [(2, 1), (-1, 1), (0, -1)])
def test_counts_that_cannot_be_are_refused(count: int, total: int) -> None:
    with pytest.raises(ValueError, match="no proportion"):
        proportion(count, total)


COUNTS = st.integers(1, 10**9).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))


@given(COUNTS, COUNTS)
@settings(max_examples=200)
def test_intervals_hold_their_rate_and_a_difference_has_two_sides(one: tuple[int, int], other: tuple[int, int]) -> None:
    first, second = proportion(*one), proportion(*other)
    assert first.rate is not None
    assert 0 <= first.low <= first.rate <= first.high <= 1
    found, turned = difference(first, second), difference(second, first)
    assert found.estimate is not None
    assert -1 <= found.low <= found.estimate <= found.high <= 1
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))
    assert found.decided is turned.decided
