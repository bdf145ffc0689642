"""What models and tools say to each other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the model is shown it; `parameters` is a JSON schema of type object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCallRequest:
    """A model asks for a tool; nothing in it is trusted."""

    id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What came of a call. `output["status"]` is always there: `booked`, `moved`, `cancelled`, `ok` when it was
    done; `requested` when it is kept and will be decided later; `unavailable`, `not_found`, `invalid`, `refused`,
    `failed` when not, then with `reason`; `unknown` when nobody can tell."""

    output: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def status(self) -> str:
        """The outcome in one word."""
        return str(self.output.get("status", "failed"))

    @property
    def done(self) -> bool:
        """Whether the tool did what it was asked for."""
        return self.status in {"booked", "moved", "cancelled", "ok"}
