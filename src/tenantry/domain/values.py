"""What is known of an agent's variables in one conversation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class VariableValue:
    """A value in the JSON form of its type (`domain.agent.VariableType`), and the words it was read from.
    An unconfirmed one still has to be read back to the contact."""

    value: Any
    heard: str = ""
    confirmed: bool = True


Known = Mapping[str, VariableValue]
