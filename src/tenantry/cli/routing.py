"""`tenantry route` and `tenantry routing`: which agent a conversation goes to."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, cast

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tenantry.agent_files.documents import Unreadable, read_json, read_yaml, write_yaml
from tenantry.cli.local import Home, find_tenant, local_server, passing_key, run, settings_for
from tenantry.client import TenantryClient
from tenantry.client.routing import DryRun, Rate, RateDifference
from tenantry.domain.errors import InvalidInput
from tenantry.settings import Settings

routing_app = typer.Typer(help="The rules by which conversations find their agents.", no_args_is_help=True)

TenantSlug = Annotated[str, typer.Option("--tenant", help="The tenant's name in URLs and settings.")]
RulesFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Rules in YAML or JSON.")]


def route(
    tenant: TenantSlug = "peterei",
    explain: Annotated[bool, typer.Option(help="Print every step that was tried, and why it did not decide.")] = False,
    purpose: Annotated[str | None, typer.Option(help="What the conversation is for.")] = None,
    channel: Annotated[str | None, typer.Option(help="Where it comes from; http unless given.")] = None,
    language: Annotated[str | None, typer.Option(help="Such as de-AT.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; may be given again.")] = None,
    meta: Annotated[list[str] | None, typer.Option(help="key=value, as in tier=gold or address.city=Graz.")] = None,
    lead: Annotated[str | None, typer.Option(help="The caller's own id of the contact.")] = None,
    email: Annotated[str | None, typer.Option(help="The contact's address.")] = None,
    at: Annotated[str | None, typer.Option(help="When, as in 2026-11-21T12:00+01:00; else now.")] = None,
    rules: Annotated[Path | None, typer.Option(help="Try the rules of this file.", exists=True, dir_okay=False)] = None,
    home: Home = None,
) -> None:
    """Say which agent such a conversation would get; nothing is written."""
    asked: dict[str, Any] = {
        "purpose": purpose,
        "channel": channel,
        "language": language,
        "tags": tag or (),
        "lead_id": lead,
        "lead_email": email,
    }
    run(_route(settings_for(home), tenant, asked, at, meta or [], rules, explain=explain))


@routing_app.command("show")
def show(tenant: TenantSlug = "peterei", home: Home = None) -> None:
    """Print the rules as YAML, as `set` takes them."""
    run(_show(settings_for(home), tenant))


@routing_app.command("set")
def set_rules(file: RulesFile, tenant: TenantSlug = "peterei", home: Home = None) -> None:
    """Replace the rules by those of a file; every fault is told by its field."""
    run(_set(settings_for(home), tenant, file))


@routing_app.command("results")
def results(
    rule: Annotated[str, typer.Argument(help="The name of a rule with a split.")],
    tenant: TenantSlug = "peterei",
    home: Home = None,
) -> None:
    """Print how the variants of an A/B test do, with 95 % intervals."""
    run(_results(settings_for(home), tenant, rule))


async def _route(
    settings: Settings,
    slug: str,
    asked: dict[str, Any],
    at: str | None,
    meta: list[str],
    file: Path | None,
    *,
    explain: bool,
) -> None:
    metadata, moment = metadata_of(meta), _moment(at) if at else None
    rules = _rules_of(file) if file else None
    async with _client(settings, slug) as client:
        _print(await client.routing.dry_run(metadata=metadata, at=moment, rules=rules, **asked), explain=explain)


async def _show(settings: Settings, slug: str) -> None:
    async with _client(settings, slug) as client:
        stored = await client.routing.get()
    rules = without_defaults(msgspec.to_builtins(stored.rules))
    print(f"# revision {stored.revision} of {slug}")
    print(write_yaml(rules) if rules else "{}", end="" if rules else "\n")


async def _set(settings: Settings, slug: str, file: Path) -> None:
    rules = _rules_of(file)
    async with _client(settings, slug) as client:
        current = await client.routing.get()
        stored = await client.routing.put(rules, revision=current.revision)
    print(f"The rules of {slug} are at revision {stored.revision}.")


async def _results(settings: Settings, slug: str, rule: str) -> None:
    async with _client(settings, slug) as client:
        told = await client.routing.results(rule)
    if not told.variants:
        raise InvalidInput(f"{slug} has no rule {rule!r} with a split, and never had a conversation by one.")
    table = Table("variant", "conversations", "completed", "booked", "escalated", title=f"rule {escape(rule)}")
    for each in told.variants:
        rates = (_rate(each.completed), _rate(each.booked), _rate(each.escalated))
        table.add_row(escape(each.variant), str(each.conversations), *rates)
    for each in told.differences:
        differences = (_difference(each.completed), _difference(each.booked), _difference(each.escalated))
        table.add_row(escape(f"{each.variant} less {each.to}"), "", *differences)
    Console().print(table)


@asynccontextmanager
async def _client(settings: Settings, slug: str) -> AsyncGenerator[TenantryClient]:
    async with local_server(settings) as (runtime, url):
        tenant = await find_tenant(runtime.db, slug)
        async with passing_key(runtime.db, tenant.id) as key, TenantryClient.open(url, key) as client:
            yield client


def _print(tried: DryRun, *, explain: bool) -> None:
    if explain:
        for step in tried.steps:
            rule = f" {step.rule!r}" if step.rule else ""
            print(f"{step.by}{rule}: {step.text}")
    for fault in tried.faults:
        print(f"fault at {fault.field}: {fault.message}")
    if tried.by is None:
        raise InvalidInput("These rules have faults and were not tried; correct the named fields.")
    agent = f"agent {tried.agent_id}, version {tried.version}" if tried.agent_id else "the active agent, not made yet"
    rule = f", rule {tried.rule!r}" if tried.rule else ""
    variant = f", variant {tried.variant!r}" if tried.variant else ""
    print(f"{agent}; by {tried.by}{rule}{variant}")


def metadata_of(pairs: list[str]) -> dict[str, Any]:
    """The object of `key=value` pairs; dots in a key lead into objects, a value that is no JSON is text."""
    metadata: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        *into, name = key.split(".")
        if not equals or not all((*into, name)):
            raise InvalidInput(f"--meta {pair} is not of the form key=value.")
        inner = metadata
        for step in into:
            found: Any = inner.setdefault(step, {})
            if not isinstance(found, dict):
                raise InvalidInput(f"--meta {pair}: {step!r} is a value already.")
            inner = cast(dict[str, Any], found)
        inner[name] = _value(text)
    return metadata


def _moment(text: str) -> datetime:
    """The moment; without an offset it is one of this machine's time zone."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError as error:
        raise InvalidInput(f"--at {text} is no moment, such as 2026-11-21T12:00+01:00.") from error


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _rules_of(file: Path) -> Mapping[str, Any]:
    text = file.read_text()
    try:
        documents = read_json(text) if file.suffix == ".json" else read_yaml(text)
    except Unreadable as error:
        raise InvalidInput(f"{file} cannot be read; {error}.") from error
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise InvalidInput(f"{file} holds {len(documents)} documents; write one, with purposes, users, rules, default.")
    return cast(dict[str, Any], documents[0])


def without_defaults(value: Any) -> Any:
    """What is left of rules without their empty parts, which mean nothing."""
    match value:
        case dict():
            items = {name: without_defaults(item) for name, item in cast(dict[str, Any], value).items()}
            return {name: item for name, item in items.items() if item not in (None, [], {}, "")}
        case list() | tuple():
            return [without_defaults(item) for item in cast(list[Any], value)]
        case _:
            return value


def _rate(rate: Rate) -> str:
    if rate.rate is None:
        return "-"
    return f"{rate.count} ({rate.rate:.0%}, {rate.low:.0%} to {rate.high:.0%})"


def _difference(found: RateDifference) -> str:
    if found.estimate is None:
        return "-"
    decided = "" if found.low > 0 or found.high < 0 else ", not decided yet"
    return f"{found.estimate:+.0%} ({found.low:+.0%} to {found.high:+.0%}{decided})"
