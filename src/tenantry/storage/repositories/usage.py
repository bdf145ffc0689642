"""What turns used of models: appended once, summed often."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from tenantry.domain.conversation import Usage
from tenantry.storage.tenancy import Row, TenantTx


@dataclass(frozen=True, slots=True)
class UsageRow:
    """What one turn used of one model. `at` None is the moment of the transaction that inserts it."""

    turn_id: UUID
    model: str
    agent_id: UUID
    owner_member_id: UUID | None
    conversation_id: UUID
    channel: str
    usage: Usage
    at: datetime | None = None


_COLUMNS = (
    "turn_id, model, agent_id, owner_member_id, conversation_id, channel, at, "
    "input_tokens, output_tokens, cached_tokens, cost_micros"
)
_TYPES = (
    "uuid[]",
    "text[]",
    "uuid[]",
    "uuid[]",
    "uuid[]",
    "text[]",
    "timestamptz[]",
    "bigint[]",
    "bigint[]",
    "bigint[]",
    "bigint[]",
)


def insert_sql(first: int, source: str = "") -> str:
    """The INSERT of what `arguments` gives, bound from parameter `first` on, with the tenant as $1; a statement, or a
    CTE of one: then `source` may name another CTE, and nothing is inserted unless that one has a row."""
    arrays = ", ".join(f"${first + place}::{kind}" for place, kind in enumerate(_TYPES))
    names = _COLUMNS.split(", ")
    values = ", ".join("coalesce(used.at, now())" if name == "at" else f"used.{name}" for name in names)
    return (
        f"INSERT INTO usage (tenant_id, {_COLUMNS}) SELECT $1, {values} "
        f"FROM {f'{source}, ' if source else ''}unnest({arrays}) AS used ({_COLUMNS}) "
        # A turn that was answered anew counts as it was counted first.
        "ON CONFLICT (tenant_id, turn_id, model) DO NOTHING"
    )


def arguments(rows: Sequence[UsageRow]) -> tuple[list[Any], ...]:
    """The values of `insert_sql`, an array for each column."""
    return (
        [row.turn_id for row in rows],
        [row.model for row in rows],
        [row.agent_id for row in rows],
        [row.owner_member_id for row in rows],
        [row.conversation_id for row in rows],
        [row.channel for row in rows],
        [row.at for row in rows],
        [row.usage.input_tokens for row in rows],
        [row.usage.output_tokens for row in rows],
        [row.usage.cached_tokens for row in rows],
        [row.usage.cost_micros for row in rows],
    )


_INSERT = insert_sql(2)


async def insert(tx: TenantTx, rows: Sequence[UsageRow]) -> None:
    """Add what a turn used, one row for each model that was asked. A turn adds its rows once, with its result."""
    await tx.execute(_INSERT, tx.tenant_id, *arguments(rows))


class GroupBy(StrEnum):
    """What usage is summed by."""

    DAY = "day"
    AGENT = "agent"
    MEMBER = "member"
    MODEL = "model"
    TURN = "turn"
    CHANNEL = "channel"


# Each key is a text, '' for what the tenant itself owns; days and turns come newest first.
_KEYS = {
    GroupBy.DAY: "to_char(u.at AT TIME ZONE $6, 'YYYY-MM-DD')",
    GroupBy.AGENT: "u.agent_id::text",
    GroupBy.MEMBER: "coalesce(u.owner_member_id::text, '')",
    GroupBy.MODEL: "u.model",
    GroupBy.TURN: "u.turn_id::text",
    GroupBy.CHANNEL: "u.channel",
}
_NEWEST_FIRST = frozenset({GroupBy.DAY, GroupBy.TURN})
_NAMES = {
    GroupBy.AGENT: "(SELECT a.name FROM agents a WHERE a.tenant_id = $1 AND a.id::text = s.key)",
    GroupBy.MEMBER: "(SELECT m.display_name FROM members m WHERE m.tenant_id = $1 AND m.id::text = s.key)",
}
_SUMS = (
    "count(DISTINCT u.turn_id) AS turns, coalesce(sum(u.input_tokens), 0)::bigint AS input_tokens, "
    "coalesce(sum(u.output_tokens), 0)::bigint AS output_tokens, "
    "coalesce(sum(u.cached_tokens), 0)::bigint AS cached_tokens, coalesce(sum(u.cost_micros), 0)::bigint AS cost_micros"
)
_WHERE = "u.tenant_id = $1 AND u.at >= $2 AND u.at < $3 AND ($4::uuid IS NULL OR u.owner_member_id = $4)"


@dataclass(frozen=True, slots=True)
class Period:
    """Usage from one instant to before another, of everybody's agents or of one member's."""

    begins: datetime
    ends: datetime
    sees_only: UUID | None


@dataclass(frozen=True, slots=True)
class UsageSum:
    """What was used under one key: a day "2026-11-24", an id, a model, a channel. `name` is what the agent or member
    is called."""

    key: str
    name: str | None
    turns: int
    used: Usage


def _used(row: Row) -> Usage:
    return Usage(row["input_tokens"], row["output_tokens"], row["cached_tokens"], row["cost_micros"])


async def total(tx: TenantTx, period: Period) -> UsageSum:
    """All of the period in one."""
    row = await tx.one(
        f"SELECT {_SUMS} FROM usage u WHERE {_WHERE}", tx.tenant_id, period.begins, period.ends, period.sees_only
    )
    return UsageSum("", None, row["turns"], _used(row))


async def sums(
    tx: TenantTx, period: Period, group_by: GroupBy, *, time_zone: str, after: str | None, limit: int
) -> list[UsageSum]:
    """The period's usage by key, those after the key `after`: newest first for days (of the IANA zone) and turns, else
    in the order of their keys."""
    key = f'({_KEYS[group_by]}) COLLATE "C"'
    beyond, order = ("<", "DESC") if group_by in _NEWEST_FIRST else (">", "ASC")
    rows = await tx.rows(
        f"SELECT s.*, {_NAMES.get(group_by, 'NULL::text')} AS name FROM ("
        f"SELECT {key} AS key, {_SUMS} FROM usage u WHERE {_WHERE} AND ($5::text IS NULL OR {key} {beyond} $5) "
        f"AND $6::text IS NOT NULL GROUP BY 1 ORDER BY 1 {order} LIMIT $7) AS s ORDER BY s.key {order}",
        tx.tenant_id,
        period.begins,
        period.ends,
        period.sees_only,
        after,
        time_zone,
        limit,
    )
    return [UsageSum(row["key"], row["name"], row["turns"], _used(row)) for row in rows]


@dataclass(frozen=True, slots=True)
class OwnerSpend:
    """What an owner's agents (None: the tenant's own) used: `tokens` in and out, and how many turns used any (one
    that used two models counts twice, as telling them apart would cost a sort of the month). `settled` says that it
    was used before the instant that was asked for."""

    owner_member_id: UUID | None
    settled: bool
    tokens: int
    cost_micros: int
    turns: int


async def spent(tx: TenantTx, begins: datetime, settled_before: datetime, ends: datetime) -> list[OwnerSpend]:
    """What each owner's agents used from `begins` to before `ends`, told apart at `settled_before`."""
    rows = await tx.rows(
        "SELECT owner_member_id, at < $3 AS settled, sum(input_tokens + output_tokens)::bigint AS tokens, "
        "sum(cost_micros)::bigint AS cost_micros, "
        "count(*) FILTER (WHERE input_tokens + output_tokens > 0) AS turns "
        "FROM usage WHERE tenant_id = $1 AND at >= $2 AND at < $4 GROUP BY 1, 2",
        tx.tenant_id,
        begins,
        settled_before,
        ends,
    )
    return [
        OwnerSpend(row["owner_member_id"], row["settled"], row["tokens"], row["cost_micros"], row["turns"])
        for row in rows
    ]
