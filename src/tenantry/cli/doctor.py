"""`tenantry doctor`: is everything there that a server on this machine needs."""

from rich.console import Console
from rich.table import Table

from tenantry.cli.local import Home, run, settings_for
from tenantry.settings import Settings


def doctor(home: Home = None) -> None:
    """Look at settings, folder, key, database, roles, schema, port, model, connections, bookings, Redis and telemetry;
    exit 1 when something keeps Tenantry from running."""
    run(_doctor(settings_for(home)))


async def _doctor(settings: Settings) -> int:
    # Imported here with all that serves, which takes a second that other commands need not wait.
    from tenantry.cli.checks import check

    table = Table("what", "state", "found")
    bad = 0
    async for looked_at in check(settings):
        bad += not looked_at.good and looked_at.needed
        table.add_row(looked_at.name, looked_at.state, looked_at.found)
    Console().print(table)
    return 1 if bad else 0
