"""`tenantry worker`: takes calls at a LiveKit server."""

import os
import sys
from typing import Annotated

import typer

from tenantry.cli.local import Home, run, settings_for
from tenantry.credentials.call_tickets import worker_key_of
from tenantry.credentials.master_key import load_master_key
from tenantry.domain.errors import TenantryError
from tenantry.logs import configure_logs
from tenantry.settings import Settings


def worker(
    only: Annotated[
        str, typer.Option(help="Purposes and agents' tags, with commas: take calls of these alone.", show_default=False)
    ] = "",
    home: Home = None,
) -> None:
    """Take calls until ctrl-C, each in a process of its own; then finish those that are there."""
    _run_as_module()
    # Imported here since it takes two seconds, which other commands need not wait.
    from tenantry.channels.livekit_voice.worker.forking import start_forkserver
    from tenantry.channels.livekit_voice.worker.options import worker_options
    from tenantry.channels.livekit_voice.worker.worker import run_worker

    try:
        settings = settings_for(home)
        kinds = frozenset(kind.strip() for kind in only.split(",") if kind.strip())
        options = worker_options(os.environ, _worker_key(settings), kinds)
    except TenantryError as error:
        print(error.detail, file=sys.stderr)
        raise typer.Exit(1) from error
    configure_logs(settings.log_level)
    start_forkserver()
    run(run_worker(options, settings.home))


def _worker_key(settings: Settings) -> str:
    return settings.voice.worker_key or worker_key_of(load_master_key(settings.home, settings.master_key))


def _run_as_module() -> None:
    """Call processes import the script that their main process is, and all that it imports, but no module's main."""
    if sys.modules["__main__"].__spec__ is None:
        os.execv(sys.executable, [sys.executable, "-m", "tenantry", *sys.argv[1:]])  # noqa: S606
