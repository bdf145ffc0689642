"""What a turn tells its channel while it runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tenantry.domain.conversation import TurnResult
from tenantry.domain.values import VariableValue


@dataclass(frozen=True, slots=True)
class TurnAccepted:
    """The message is kept for good."""

    turn_id: UUID
    conversation_id: UUID


@dataclass(frozen=True, slots=True)
class TextSaid:
    """The next piece of the reply."""

    text: str


@dataclass(frozen=True, slots=True)
class VariableChanged:
    """A variable was noted, corrected, confirmed or (None) taken back."""

    name: str
    value: VariableValue | None


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """A tool is about to run."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolEnded:
    """What came of a tool."""

    name: str
    output: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TurnDone:
    """The turn is stored; the last event of every turn."""

    turn_id: UUID
    conversation_id: UUID
    agent_id: UUID
    result: TurnResult


TurnEvent = TurnAccepted | TextSaid | VariableChanged | ToolStarted | ToolEnded | TurnDone
