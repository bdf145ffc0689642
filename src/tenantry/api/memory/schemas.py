"""What the memory's routes take and give."""

import unicodedata
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from tenantry.api.common import with_examples
from tenantry.domain.memory import DEFAULT_LIMIT, LARGEST_LIMIT, Block


def _clean(text: str) -> str:
    text = text.replace("\r\n", "\n")
    if any(character not in "\n\t" and unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise ValueError("holds a control character other than a line break or tab")
    return text


Clean = Annotated[str, AfterValidator(_clean)]


class BlockIn(BaseModel):
    """A block as it is to be. `contact` is the leadId of whom it is about, left out for the agent's own; `limit` is in
    characters; with `revision`, only what was read with it is replaced."""

    model_config = with_examples({"value": "Prefers to be called in the morning.", "contact": "customer-17"})
    value: Annotated[Clean, Field(max_length=LARGEST_LIMIT)]
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=LARGEST_LIMIT)
    description: Annotated[Clean, Field(max_length=1000)] = ""
    contact: str | None = None
    revision: int | None = Field(default=None, ge=1, le=2**31 - 1)


class BlockOut(BaseModel):
    """A block; `scope` tells whether it is the agent's own or about the contact that was asked for."""

    label: str
    scope: Literal["agent", "contact"]
    description: str
    value: str
    limit: int
    revision: int
    updated_at: datetime

    @classmethod
    def of(cls, block: Block) -> "BlockOut":
        """The block as it is shown."""
        return cls(
            label=block.label,
            scope=block.scope,
            description=block.description,
            value=block.value,
            limit=block.char_limit,
            revision=block.revision,
            updated_at=block.updated_at,
        )


class BlockList(BaseModel):
    """All of them: the agent's own, then the contact's, by their labels."""

    items: list[BlockOut]
