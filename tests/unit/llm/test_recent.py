"""What is kept, and what goes first."""

from tenantry.llm.recent import Recent


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_one_not_used_for_longest_goes_first() -> None:
    kept: Recent[str, int] = Recent(2, 60, Clock())
    kept.put("a", 1)
    kept.put("b", 2)
    assert kept.get("a") == 1
    kept.put("c", 3)
    assert (kept.get("a"), kept.get("b"), kept.get("c"), len(kept)) == (1, None, 3, 2)


def test_nothing_is_kept_longer_than_its_time_however_often_it_is_used() -> None:
    clock = Clock()
    kept: Recent[str, int] = Recent(2, 60, clock)
    kept.put("a", 1)
    clock.now = 59.0
    assert kept.get("a") == 1
    clock.now = 60.0
    assert (kept.get("a"), len(kept)) == (None, 0)
