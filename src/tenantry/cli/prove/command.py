"""`tenantry prove` on the command line."""

from typing import Annotated

import typer
from rich.console import Console

from tenantry.cli.local import Home, run, settings_for
from tenantry.cli.prove.report import print_table, to_json
from tenantry.logs import configure_logs
from tenantry.settings import Settings


def prove_command(
    home: Home = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Try to cross every border between members and tenants; exit 1 unless every one of them holds."""
    run(_prove(settings_for(home), as_json))


async def _prove(settings: Settings, as_json: bool) -> int:
    # Imported here since it takes a second, which the commands that do not serve need not wait.
    from tenantry.cli.prove.proof import prove
    from tenantry.server.runtime import open_runtime

    configure_logs("error")
    async with open_runtime(settings) as runtime:
        report = await prove(runtime)
    if as_json:
        print(to_json(report))
    else:
        # A pipe has no width; a narrow table would cut what is named in it.
        console = Console()
        print_table(report, console if console.is_terminal else Console(width=200))
    return 0 if report.passed else 1
