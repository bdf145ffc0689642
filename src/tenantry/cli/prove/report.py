"""What was tried, as a table and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tenantry.storage.isolation.crossing import Crossing

FEWEST = 150


@dataclass(frozen=True, slots=True)
class Report:
    """Every crossing that was tried, in order."""

    crossings: tuple[Crossing, ...]

    @property
    def let_through(self) -> list[Crossing]:
        """The crossings that succeeded, or controls that failed."""
        return [c for c in self.crossings if not c.held and not c.lacks_case]

    @property
    def without_case(self) -> list[Crossing]:
        """The routes and tables that nobody knows how to try."""
        return [c for c in self.crossings if c.lacks_case]

    @property
    def passed(self) -> bool:
        """Whether enough was tried and everything held."""
        return len(self.crossings) >= FEWEST and all(c.held for c in self.crossings)

    @property
    def summary(self) -> str:
        """The outcome in one line."""
        few = "" if len(self.crossings) >= FEWEST else f", fewer than {FEWEST}"
        return (
            f"tried {len(self.crossings)} crossings{few}: {len(self.let_through)} let through, "
            f"{len(self.without_case)} without a case"
        )

    def failures(self) -> list[str]:
        """A line for each crossing that was let through or had no case."""
        return [f"{c.what} as {c.tried_as}: {c.got} (expected {c.expected})" for c in self.crossings if not c.held]


def print_table(report: Report, console: Console) -> None:
    """Every crossing, grouped by border, then the failures and the summary."""
    table = Table("border", "tried as", "what", "expected", "got", "verdict", expand=console.is_terminal)
    border = ""
    for crossing in _grouped(report.crossings):
        if crossing.border != border and border:
            table.add_section()
        shown = crossing.border if crossing.border != border else ""
        border = crossing.border
        verdict = Text("held", "green") if crossing.held else Text(_failed(crossing), "bold red")
        told = (shown, crossing.tried_as, crossing.what, crossing.expected, crossing.got)
        table.add_row(*(Text(part) for part in told), verdict)
    console.print(table)
    for failure in report.failures():
        console.print(Text(failure, "red"))
    console.print(Text(report.summary, "bold green" if report.passed else "bold red"))


def to_json(report: Report) -> str:
    """The whole report for machines."""
    rows = [asdict(crossing) for crossing in report.crossings]
    return json.dumps({"passed": report.passed, "summary": report.summary, "crossings": rows}, indent=2)


def _failed(crossing: Crossing) -> str:
    return "no case" if crossing.lacks_case else "LET THROUGH"


def _grouped(crossings: Sequence[Crossing]) -> list[Crossing]:
    order = {border: place for place, border in enumerate(dict.fromkeys(c.border for c in crossings))}
    return sorted(crossings, key=lambda crossing: order[crossing.border])
