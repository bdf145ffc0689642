"""The commands of `tenantry agents`."""

import typer

from tenantry.cli.agents.folders import apply, diff, export, import_agents
from tenantry.cli.agents.looking import list_agents, roll_back, show, versions
from tenantry.cli.agents.many import change, delete, hand_over, publish, tag_agents
from tenantry.cli.agents.setup import setup

agents_app = typer.Typer(help="Agents of a tenant: one, many at once, and as files.", no_args_is_help=True)
agents_app.command("setup")(setup)
agents_app.command("list")(list_agents)
agents_app.command("show")(show)
agents_app.command("versions")(versions)
agents_app.command("rollback")(roll_back)
agents_app.command("export")(export)
agents_app.command("import")(import_agents)
agents_app.command("apply")(apply)
agents_app.command("diff")(diff)
agents_app.command("change")(change)
agents_app.command("publish")(publish)
agents_app.command("tag")(tag_agents)
agents_app.command("delete")(delete)
agents_app.command("hand-over")(hand_over)
