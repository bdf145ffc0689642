"""A/B tests: contacts spread by the weights, and keep their sides for ever."""

from collections import Counter
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from tenantry.domain.routing import Split
from tenantry.routing.split import BUCKETS, bucket, part_of
from tests.unit.routing.rule_sets import TENANT, split

USERS = [f"user-{number}".encode() for number in range(10_000)]

KNOWN_PLACES = [1776, 2663, 5849, 8068, 9579, 3476, 7256, 945, 7034, 3944, 822, 7680]
KNOWN_SIDES = "aaaabbbbbabababaaabbabaaaaababbbbbbaabababaababaaaababaaaaab"


def sides(test: Split, salt: str = "test", tenant_id: UUID = TENANT) -> list[str]:
    return [part_of(test, bucket(tenant_id, salt, user)).variant for user in USERS]


def test_places_never_change() -> None:
    """Who changes these answers moves contacts of every installation to other sides of tests that are running."""
    places = [bucket(TENANT, salt, key) for salt in ("test", "s", "ünï") for key in (b"ann", b"bob", b"", b"\x00" * 32)]
    assert places == KNOWN_PLACES
    assert "".join(sides(split(70, 30)))[:60] == KNOWN_SIDES


def test_ten_thousand_users_split_by_the_weights_and_stay() -> None:
    first = sides(split(70, 30))
    assert abs(first.count("a") / len(USERS) - 0.70) < 0.015
    assert sides(split(70, 30)) == first


def test_three_sides_get_their_weights() -> None:
    counts = Counter(sides(split(50, 30, 20)))
    assert all(
        abs(counts[variant] / len(USERS) - share) < 0.015 for variant, share in zip("abc", (0.5, 0.3, 0.2), strict=True)
    )


def test_a_change_of_weights_moves_only_those_between_the_boundaries() -> None:
    before, after = sides(split(70, 30)), sides(split(60, 40))
    moves = Counter(zip(before, after, strict=True))
    assert moves["b", "a"] == 0
    assert abs(moves["a", "b"] / len(USERS) - 0.10) < 0.015


def test_tests_of_other_salts_and_tenants_are_independent() -> None:
    one = sides(split(50, 50))
    for other in (sides(split(50, 50), salt="other"), sides(split(50, 50), tenant_id=UUID(int=5))):
        same = sum(a == b for a, b in zip(one, other, strict=True))
        assert abs(same / len(USERS) - 0.5) < 0.02


def test_salt_and_key_do_not_run_into_each_other() -> None:
    assert bucket(TENANT, "ab", b"c") != bucket(TENANT, "a", b"bc")


@given(st.lists(st.integers(1, 99), min_size=1, max_size=5), st.integers(0, BUCKETS - 1))
@settings(max_examples=50)
def test_a_place_is_in_exactly_the_range_of_its_part(weights: list[int], place: int) -> None:
    scaled = [weight * 100 // sum(weights) for weight in weights[:-1]]
    test = split(*scaled, 100 - sum(scaled))
    at = "abcde".index(part_of(test, place).variant)
    begin = sum(part.weight for part in test.parts[:at]) * 100
    assert begin <= place < begin + test.parts[at].weight * 100
