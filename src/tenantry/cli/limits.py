"""`tenantry tenant limits`: what the operator grants a tenant."""

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tenantry.cli.local import OPERATOR, Home, find_tenant, open_installation, run, settings_for
from tenantry.domain.errors import InvalidInput
from tenantry.domain.limits import LIMIT_NAMES, MOST_MONTHLY, LimitValues, dollars, parse_dollars, parse_rate
from tenantry.settings import Settings
from tenantry.storage.repositories import audit, limits

NONE = "none"
Rate = Annotated[str | None, typer.Option(help='Messages in any minute, as in "60/minute"; "none" for the default.')]


def tenant_limits(
    slug: Annotated[str, typer.Argument(help="The tenant's name in URLs and settings.")],
    contact: Rate = None,
    member: Rate = None,
    tenant: Rate = None,
    tokens: Annotated[str | None, typer.Option(help='Tokens in a calendar month; "none" for no budget.')] = None,
    cost: Annotated[str | None, typer.Option(help='US dollars in a month, as in 50.00; "none" for no budget.')] = None,
    home: Home = None,
) -> None:
    """Set what is given of a tenant's rate limits and monthly budgets, and show all of them."""
    given = {
        "contact_per_minute": _read("--contact", contact, parse_rate),
        "member_per_minute": _read("--member", member, parse_rate),
        "tenant_per_minute": _read("--tenant", tenant, parse_rate),
        "monthly_tokens": _read("--tokens", tokens, _count),
        "monthly_cost_micros": _read("--cost", cost, parse_dollars),
    }
    run(_limits(settings_for(home), slug, given))


# What was not given, what was not understood (its error), or the value.
_Given = tuple[()] | InvalidInput | tuple[int | None]


def _read(option: str, text: str | None, parse: Callable[[str], int]) -> _Given:
    if text is None:
        return ()
    if text.strip().lower() == NONE:
        return (None,)
    try:
        return (parse(text),)
    except ValueError as error:
        return InvalidInput(f"{option}: {error}.")


def _count(text: str) -> int:
    plain = text.strip().replace(",", "").replace("_", "")
    if not plain.isascii() or not plain.isdigit() or int(plain) > MOST_MONTHLY:
        raise ValueError(f"{text!r} is no number of tokens")
    return int(plain)


async def _limits(settings: Settings, slug: str, given: dict[str, _Given]) -> None:
    values: dict[str, int | None] = {}
    for name, value in given.items():
        if isinstance(value, InvalidInput):
            raise value
        if value:
            values[name] = value[0]
    async with open_installation(settings) as installation:
        tenant = await find_tenant(installation.db, slug)
        async with installation.db.operator(tenant.id) as tx:
            written = await limits.written(tx)
            granted = replace(written.granted, **values)
            if values:
                await limits.grant(tx, granted)
                target = f"tenant:{tenant.id}"
                await audit.record(tx, actor=OPERATOR, action="limits.granted", target=target, details=asdict(granted))
    Console().print(_table(granted, written.own))


def _table(granted: LimitValues, own: LimitValues) -> Table:
    table = Table("limit", "granted", "the tenant's own")
    for name in LIMIT_NAMES:
        table.add_row(name, _shown(name, getattr(granted, name)), _shown(name, getattr(own, name)))
    return table


def _shown(name: str, value: int | None) -> str:
    if value is None:
        return "-"
    return f"${dollars(value)}" if name == "monthly_cost_micros" else f"{value:,}"
