"""Which conditions hold whenever another one does, or never. What is found is so; not everything is found."""

from collections.abc import Sequence
from itertools import combinations

from tenantry.domain.routing import Condition, MetadataTest
from tenantry.routing import time_cover
from tenantry.routing.conditions import in_range
from tenantry.routing.metadata import distinct, holds, is_number, same, wanted_values


def implies(narrower: Condition, wider: Condition) -> bool:
    """Whether `wider` holds whenever `narrower` does, part by part."""
    return (
        _fewer(narrower.channels, wider.channels)
        and _narrower_languages(narrower.languages, wider.languages)
        and _fewer(narrower.tags, wider.tags)
        and (wider.new_user is None or wider.new_user is narrower.new_user)
        and all(any(_test_implies(given, test) for given in narrower.metadata) for test in wider.metadata)
        and (
            wider.time is None
            or (narrower.time is not None and time_cover.covers(wider=wider.time, narrower=narrower.time))
        )
    )


def contradiction(when: Condition) -> tuple[str, str] | None:
    """Why the condition can never hold, as the path of a part and a reason; None where nothing is found."""
    for index, test in enumerate(when.metadata):
        if test.test in {"equals", "one_of"} and not _possible_values(test, when.metadata):
            return f"metadata.{index}", f"no value of {test.key!r} passes this test and the others on it"
    for (_, one), (index, other) in combinations(enumerate(when.metadata), 2):
        if _exclude(one, other) or _exclude(other, one):
            return f"metadata.{index}", f"cannot hold together with the test {one.test!r} of {one.key!r} before it"
    if when.time is not None and time_cover.never_holds(when.time):
        return "time", "there is no such time; its hours leave none"
    return None


def _fewer(narrower: Sequence[str], wider: Sequence[str]) -> bool:
    """Whether any-of `wider` holds whenever any-of `narrower` does; none to choose from is not looked at."""
    return not wider or (bool(narrower) and set(narrower) <= set(wider))


def _narrower_languages(narrower: Sequence[str], wider: Sequence[str]) -> bool:
    if not wider:
        return True
    return bool(narrower) and all(any(in_range(language, each) for each in wider) for language in narrower)


def _test_implies(given: MetadataTest, test: MetadataTest) -> bool:
    if test.test == "missing":
        return given.test == "missing" and _is_at_or_below(test.key, given.key)
    if given.test == "missing":
        return False
    if test.test == "exists":
        return _is_at_or_below(given.key, test.key)
    if given.key != test.key:
        return False
    if given.test in {"equals", "one_of"}:
        if test.test in {"equals", "one_of"}:
            return distinct(wanted_values(given)) <= distinct(wanted_values(test))
        return all(holds(test, value) for value in wanted_values(given))
    if test.test == "not_equals":
        return not holds(given, test.value)
    if given.test != test.test:
        return False
    return same(given.value, test.value) if test.test == "contains" else holds(test, given.value)


def _possible_values(given: MetadataTest, tests: Sequence[MetadataTest]) -> list[object]:
    """The values of `given`, which names them all, that pass every test of the same key."""
    return [
        value for value in wanted_values(given) if all(holds(test, value) for test in tests if test.key == given.key)
    ]


def _exclude(one: MetadataTest, other: MetadataTest) -> bool:
    if one.test == "missing":
        return other.test != "missing" and _is_at_or_below(other.key, one.key)
    if one.key != other.key or one.test != "at_least" or other.test != "at_most":
        return False
    return is_number(one.value) and not holds(other, one.value)


def _is_at_or_below(key: str, ancestor: str) -> bool:
    return key == ancestor or key.startswith(f"{ancestor}.")
