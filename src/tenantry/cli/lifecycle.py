"""`tenantry lifecycle`, `tenantry tenant delete` and `export`: what becomes of data in the end."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tenantry.cli.local import OPERATOR, Home, find_tenant, open_installation, run, settings_for
from tenantry.domain.lifecycle import Receipt
from tenantry.lifecycle.erasure import erase_tenant
from tenantry.lifecycle.export import export_tenant
from tenantry.lifecycle.sweep import sweep
from tenantry.settings import Settings
from tenantry.storage.repositories import tenants

Slug = Annotated[str, typer.Argument(help="The tenant's name in URLs and settings.")]


def lifecycle(
    tenant: Annotated[str | None, typer.Option(help="One tenant only.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing, and say what would be done.")] = False,
    home: Home = None,
) -> None:
    """Archive and delete contacts and agents that were not used for as long as their tenants have set; a server does
    so every hour."""
    run(_lifecycle(settings_for(home), tenant, dry_run))


async def _lifecycle(settings: Settings, slug: str | None, dry_run: bool) -> None:
    async with open_installation(settings) as installation:
        only = (await find_tenant(installation.db, slug)).id if slug else None
        async with installation.db.operator() as tx:
            slugs = {tenant.id: tenant.slug for tenant in await tenants.list_all(tx)}
        swept = await sweep(installation.db, only, dry_run=dry_run)
    would = "would be " if dry_run else ""
    table = Table("tenant", "what", f"{would}archived", f"{would}deleted")
    for tenant_id, of in swept.items():
        table.add_row(slugs[tenant_id], "contacts", f"{of.contacts_archived:,}", f"{of.contacts_deleted:,}")
        table.add_row(slugs[tenant_id], "agents", f"{of.agents_archived:,}", f"{of.agents_deleted:,}")
    if swept:
        Console().print(table)
    else:
        print("No tenant has set after which time something is archived; PUT /api/v1/retention sets it.")


def tenant_delete(
    slug: Slug,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: Home = None,
) -> None:
    """Delete a tenant with everything of it, for good, and print what was removed from where."""
    if not yes and typer.prompt(f"Everything of {slug} will be gone for good. Type its name to delete it") != slug:
        print("Nothing was deleted.")
        raise typer.Exit(1)
    run(_tenant_delete(settings_for(home), slug))


async def _tenant_delete(settings: Settings, slug: str) -> None:
    async with open_installation(settings) as installation:
        receipt = await erase_tenant(installation.db, await find_tenant(installation.db, slug), OPERATOR)
    _print(receipt)


def _print(receipt: Receipt) -> None:
    print(f"deleted {receipt.subject} at {receipt.at:%Y-%m-%d %H:%M:%S} UTC by {receipt.by}")
    table = Table("table", "rows removed")
    for name, rows in sorted(receipt.removed.items()):
        table.add_row(name, f"{rows:,}")
    Console().print(table)


def tenant_export(slug: Slug, file: Path, home: Home = None) -> None:
    """Write all data of a tenant into a zip of JSON Lines and recordings, as of one moment, without secrets."""
    run(_tenant_export(settings_for(home), slug, file))


async def _tenant_export(settings: Settings, slug: str, file: Path) -> None:
    # Beside, and in its place once it is whole: what was cut off must not be taken for an export.
    partial = file.with_name(f"{file.name}.part")
    async with open_installation(settings) as installation:
        tenant = await find_tenant(installation.db, slug)
        # For its owner alone: it holds what people said.
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            async for piece in export_tenant(installation.db, installation.vault, tenant.id, OPERATOR):
                out.write(piece)
            written = out.tell()
    partial.replace(file)
    print(f"exported {slug} to {file}: {written:,} bytes")
