"""All that is measured of calls, and how it is printed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.voice_calls import Greeting, Round
from bench.voice_page import PageRound
from bench.voice_processes import OUTSIDE, Memory

# In the order in which they follow each other; each begins where the one before it ends.
_STAGES = {
    "end_of_turn": "the caller's last word to the decision that they are done",
    "first_text": "to the first words of the answer (the turn at the server)",
    "first_audio": "to its first audio (speech server)",
}


@dataclass
class Figures:
    """Memory is of a process with the models inside, of those that wait for a call, and of the speech server; greetings
    are the first of a worker without idle processes, the first of a fresh worker, and those of a warm one. `pause`,
    `recognition` and `synthesis` are the milliseconds that an answer cannot do without: the pause that the agent waits
    for, and the speech server alone, asked for the same."""

    load: float
    pause: float
    inside: Memory
    idle: Memory = field(default_factory=lambda: Memory([], []))
    speech: Memory = field(default_factory=lambda: Memory([], []))
    unprepared: list[Greeting] = field(default_factory=list[Greeting])
    cold: list[Greeting] = field(default_factory=list[Greeting])
    warm: list[Greeting] = field(default_factory=list[Greeting])
    rounds: list[Round] = field(default_factory=list[Round])
    pages: list[PageRound] = field(default_factory=list[PageRound])
    recognition: float = 0.0
    synthesis: float = 0.0

    def show(self) -> None:
        """Print all of it."""
        console = Console()
        console.print(f"calls; the machine's load was {self.load:.1f} before")
        for table in (self._memory(), self._cpu(), self._greetings(), self._delays(), self._stages()):
            console.print(table)

    def _memory(self) -> Table:
        table = Table("MB", "goal", "USS, median (most)", "PSS, median (most)", title="memory of a process")
        table.add_row("call process, waiting for a call", "", *_sizes(self.idle))
        for each in self.rounds:
            table.add_row(f"call process, {_calls(each)} at once", "USS 40", *_sizes(each.memory))
        table.add_row("speech server, one for all calls", "", *_sizes(self.speech))
        table.add_row("call process with the models inside, no call", "USS 150", *_sizes(self.inside))
        return table

    def _cpu(self) -> Table:
        columns = (_calls(each) for each in self.rounds)
        table = Table("CPU seconds", *columns, title="CPU for each minute of each call")
        for role in self.rounds[0].cpu:
            table.add_row(role, *(f"{each.cpu[role]:.2f}" for each in self.rounds), end_section=role == OUTSIDE)
        ours = (sum(seconds for role, seconds in each.cpu.items() if role != OUTSIDE) for each in self.rounds)
        table.add_row("all but the callers", *(f"{seconds:.1f}" for seconds in ours))
        table.add_row("share of the cores, with the callers", *(f"{each.cores:.0%}" for each in self.rounds))
        return table

    def _greetings(self) -> Table:
        table = Table("ms", "calls", "since asked for", "since joined", title="to the greeting's first audible sample")
        for name, greetings in (
            ("worker with no idle process", self.unprepared),
            ("first call of a fresh worker", self.cold),
            ("warm, p50 (goal 500)", self.warm),
        ):
            asked, joined = [each.since_asked for each in greetings], [each.since_joined for each in greetings]
            table.add_row(name, str(len(greetings)), _ms(median(asked)), _ms(median(joined)))
        asked, joined = [each.since_asked for each in self.warm], [each.since_joined for each in self.warm]
        table.add_row("warm, p95", str(len(self.warm)), _ms(quantile(asked, 0.95)), _ms(quantile(joined, 0.95)))
        first, *later = [page.greeting for page in self.pages]
        table.add_row("page without LiveKit, the server's first", "1", _ms(first), "")
        table.add_row("page without LiveKit, later", str(len(later)), _ms(median(later)), "")
        return table

    def _delays(self) -> Table:
        table = Table("ms", "p50", "p95", "answers", "unanswered", title="from voice to voice, on the audio")
        for each in self.rounds:
            table.add_row(_calls(each), *_spread(each.delays), str(each.unanswered))
        table.add_row(
            "1 call of a page without LiveKit", *_spread([d for page in self.pages for d in page.delays]), "0"
        )
        floor = self.pause + self.synthesis
        table.add_row("floor: the agent's pause, and synthesis", f"{floor:.0f}", "", "", "", end_section=True)
        table.add_row("the pause", f"{self.pause:.0f}", "", "", "")
        table.add_row("synthesis, the speech server alone", f"{self.synthesis:.0f}", "", "", "")
        table.add_row("recognition, the speech server alone, in the pause", f"{self.recognition:.0f}", "", "", "")
        return table

    def _stages(self) -> Table:
        columns = (_calls(each) for each in self.rounds)
        table = Table("ms, median", *columns, title="where the time from voice to voice goes")
        for stage, name in _STAGES.items():
            table.add_row(name, *(_number(_stage(each, stage)) for each in self.rounds))
        rests = (
            median(each.delays) * 1000 - sum(_stage(each, stage) or 0.0 for stage in _STAGES) for each in self.rounds
        )
        table.add_row("the rest: networks, jitter buffers, codecs, playout", *map(_number, rests), end_section=True)
        table.add_row(
            "of the first: recognised after the last word", *(_number(_stage(e, "recognition")) for e in self.rounds)
        )
        return table


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that so much of them do not exceed."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def _calls(each: Round) -> str:
    return "1 call" if each.calls == 1 else f"{each.calls} calls"


def _spread(seconds: Sequence[float]) -> tuple[str, str, str]:
    return _ms(median(seconds)), _ms(quantile(seconds, 0.95)), str(len(seconds))


def _stage(each: Round, stage: str) -> float | None:
    taken = [stages[stage] for stages in each.stages if stage in stages]
    return median(taken) if taken else None


def _sizes(memory: Memory) -> tuple[str, str]:
    return _size(memory.uss), _size(memory.pss)


def _size(sizes: Sequence[int]) -> str:
    middle = f"{median(sizes) / 1e6:.1f}"
    return middle if len(sizes) == 1 else f"{middle} ({max(sizes) / 1e6:.1f})"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"
