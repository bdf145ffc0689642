"""What an agent keeps in mind from one conversation to the next."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

LABEL_PATTERN = "^[a-z0-9_-]{1,64}$"
DEFAULT_LIMIT = 2_000
LARGEST_LIMIT = 20_000
# For each agent, and for each contact of an agent: all of them are in every prompt.
MOST_BLOCKS = 20
_LABEL = re.compile("[a-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Block:
    """A labelled text of at most `char_limit` characters that is in the prompt of every turn: of one contact or, with
    no `contact_id`, the agent's own for all contacts. `revision` grows by one with each change."""

    id: UUID
    agent_id: UUID
    contact_id: UUID | None
    label: str
    description: str
    value: str
    char_limit: int
    revision: int
    updated_at: datetime

    @property
    def scope(self) -> Literal["agent", "contact"]:
        """Whom it is about."""
        return "agent" if self.contact_id is None else "contact"


def is_label(text: str) -> bool:
    """Whether a block can have this label: 1 to 64 lower-case letters, digits, underscores and hyphens."""
    return _LABEL.fullmatch(text) is not None
