"""What the routes of usage give."""

import base64
import binascii
from datetime import datetime

from pydantic import BaseModel, Field

from tenantry.domain.errors import FieldError, InvalidInput
from tenantry.domain.limits import dollars
from tenantry.storage.repositories.usage import GroupBy, Period, UsageSum


class UsageOut(BaseModel):
    """What was used under one key: a day of the tenant's zone such as "2026-11-24", the id of an agent, a member or a
    turn, a model, or a channel. A null key is the tenant itself, whose agents no member owns. `turns` that used
    several models count once under each of these. `cost` is `cost_micros` in US dollars."""

    key: str | None
    name: str | None
    turns: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_micros: int
    cost: str

    @classmethod
    def of(cls, found: UsageSum) -> "UsageOut":
        """The sum as it is shown."""
        used = found.used
        return cls(
            key=found.key or None,
            name=found.name,
            turns=found.turns,
            input_tokens=used.input_tokens,
            output_tokens=used.output_tokens,
            cached_tokens=used.cached_tokens,
            cost_micros=used.cost_micros,
            cost=dollars(used.cost_micros),
        )


class UsagePage(BaseModel):
    """Usage from `from` to before `to`. `total` is that of the whole period, on the first page only; `next_cursor` is
    null on the last page."""

    group_by: GroupBy
    begins: datetime = Field(serialization_alias="from")
    ends: datetime = Field(serialization_alias="to")
    time_zone: str
    total: UsageOut | None
    items: list[UsageOut]
    next_cursor: str | None

    @classmethod
    def of(
        cls,
        period: Period,
        group_by: GroupBy,
        time_zone: str,
        total: UsageSum | None,
        found: list[UsageSum],
        limit: int,
    ) -> "UsagePage":
        """The page out of up to `limit` + 1 sums."""
        page = found[:limit]
        return cls(
            group_by=group_by,
            begins=period.begins,
            ends=period.ends,
            time_zone=time_zone,
            total=UsageOut.of(total) if total else None,
            items=[UsageOut.of(one) for one in page],
            next_cursor=write_cursor(page[-1].key) if len(found) > limit else None,
        )


def write_cursor(key: str) -> str:
    """The cursor after this key."""
    return base64.urlsafe_b64encode(f"={key}".encode()).decode()


def read_cursor(text: str) -> str:
    """The key that a cursor of ours comes after. Raises InvalidInput for any other text."""
    try:
        marked = base64.urlsafe_b64decode(text.encode("ascii")).decode()
        if not marked.startswith("=") or "\0" in marked:
            raise ValueError("a cursor begins with its mark")
        return marked[1:]
    except (ValueError, binascii.Error) as error:
        raise InvalidInput(
            "`cursor` is none of ours; begin again without one.", errors=[FieldError("cursor", "is not valid")]
        ) from error
