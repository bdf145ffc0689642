"""How the variants of an A/B test do: proportions with 95 % confidence intervals, and whether they differ."""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from tenantry.domain.routing import VariantCounts

_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Proportion:
    """`count` of `total`. The true rate lies between `low` and `high` (0 to 1) with 95 % confidence; `rate` is None
    where there is nothing to count yet."""

    count: int
    total: int
    rate: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class VariantResult:
    """What came of a variant's conversations."""

    variant: str
    conversations: int
    completed: Proportion
    booked: Proportion
    escalated: Proportion


@dataclass(frozen=True, slots=True)
class Difference:
    """How much higher the first of two rates is, -1 to 1, between `low` and `high` with 95 % confidence. It is
    `decided` when 0 is not between them; that holds for one look at the end, not for the best of many looks."""

    estimate: float | None
    low: float
    high: float

    @property
    def decided(self) -> bool:
        """Whether the two rates differ at all, as far as one can tell yet."""
        return self.low > 0 or self.high < 0


def variant_result(counts: VariantCounts) -> VariantResult:
    """The counts as proportions of the variant's conversations. Raises ValueError for counts that cannot be."""
    return VariantResult(
        counts.variant,
        counts.conversations,
        completed=proportion(counts.completed, counts.conversations),
        booked=proportion(counts.booked, counts.conversations),
        escalated=proportion(counts.escalated, counts.conversations),
    )


def proportion(count: int, total: int) -> Proportion:
    """The rate with its Wilson score interval (E. B. Wilson, JASA 22 (1927) 209-212), which with p = count/n is
    (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n). Raises ValueError unless 0 ≤ count ≤ total."""
    if not 0 <= count <= total:
        raise ValueError(f"{count} of {total} is no proportion")
    if total == 0:
        return Proportion(count, total, None, 0.0, 1.0)
    rate = count / total
    middle = rate + _Z**2 / (2 * total)
    spread = _Z * sqrt(rate * (1 - rate) / total + _Z**2 / (4 * total**2))
    scale = 1 + _Z**2 / total
    # At none and at all, the bound is exactly the rate; rounding may put it just beyond.
    low = 0.0 if count == 0 else (middle - spread) / scale
    high = 1.0 if count == total else (middle + spread) / scale
    return Proportion(count, total, rate, low, high)


def difference(one: Proportion, other: Proportion) -> Difference:
    """The difference of two independent rates with Newcombe's hybrid score interval, his method 10 (R. G. Newcombe,
    Statistics in Medicine 17 (1998) 873-890): from d - √((p₁-l₁)² + (u₂-p₂)²) to d + √((u₁-p₁)² + (p₂-l₂)²), where
    l and u are the Wilson bounds."""
    if one.rate is None or other.rate is None:
        return Difference(None, -1.0, 1.0)
    estimate = one.rate - other.rate
    below = sqrt((one.rate - one.low) ** 2 + (other.high - other.rate) ** 2)
    above = sqrt((one.high - one.rate) ** 2 + (other.rate - other.low) ** 2)
    return Difference(estimate, estimate - below, estimate + above)
