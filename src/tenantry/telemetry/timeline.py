"""When each part of a turn began and ended, out of the durations that its report has."""

from collections.abc import Iterator
from dataclasses import dataclass

from tenantry.domain.trace import TurnTrace


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a turn; milliseconds from when the turn was begun."""

    name: str
    begins: float
    ends: float


def stages(trace: TurnTrace) -> Iterator[Stage]:
    """The stages that took any time, in order: accept, wait, prompt, think (all models and tools), store. Prompts made
    between two steps of a model count as made before the first."""
    times = trace.times
    at = 0.0
    for name, took in (("accept", times.accept), ("wait", times.wait), ("prompt", times.prompt)):
        if took > 0:
            yield Stage(name, at, at + took)
        at += took
    steps = [(step.at_ms, step.at_ms + step.took_ms) for step in (*trace.models, *trace.calls)]
    begins = min((at, *(begin for begin, _ in steps)))
    ends = max((at + times.models + times.tools, *(end for _, end in steps)))
    if ends > begins:
        yield Stage("think", begins, ends)
    if times.store > 0:
        yield Stage("store", ends, ends + times.store)


def total_ms(trace: TurnTrace) -> float:
    """Milliseconds from when the turn was begun until it was stored."""
    return max((stage.ends for stage in stages(trace)), default=0.0)
