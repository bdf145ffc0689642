"""The command line's entry."""

import typer

from tenantry.cli.agents.command import agents_app
from tenantry.cli.calendar import calendar_app
from tenantry.cli.calls import calls_app
from tenantry.cli.chat import chat
from tenantry.cli.connections import connection_app
from tenantry.cli.demo.command import demo
from tenantry.cli.doctor import doctor
from tenantry.cli.explain import explain
from tenantry.cli.keys import key_retire, key_rotate
from tenantry.cli.lifecycle import lifecycle, tenant_delete, tenant_export
from tenantry.cli.limits import tenant_limits
from tenantry.cli.member_removal import member_remove
from tenantry.cli.prove.command import prove_command
from tenantry.cli.providers import provider_app, secret_app
from tenantry.cli.routing import route, routing_app
from tenantry.cli.sites import site_app
from tenantry.cli.templates import template_app
from tenantry.cli.tenants import key_app, member_app, tenant_app
from tenantry.cli.up import up
from tenantry.cli.usage import usage
from tenantry.cli.worker import worker

app = typer.Typer(
    help="Tenantry: the runtime for multi-tenant AI agents.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("up")(up)
app.command("worker")(worker)
app.command("demo")(demo)
app.command("chat")(chat)
app.command("explain")(explain)
app.command("route")(route)
app.command("doctor")(doctor)
app.command("prove")(prove_command)
app.command("usage")(usage)
app.command("lifecycle")(lifecycle)
key_app.command("rotate")(key_rotate)
key_app.command("retire")(key_retire)
tenant_app.command("limits")(tenant_limits)
tenant_app.command("export")(tenant_export)
tenant_app.command("delete")(tenant_delete)
app.add_typer(agents_app, name="agents")
app.add_typer(tenant_app, name="tenant")
member_app.command("remove")(member_remove)
app.add_typer(template_app, name="template")
app.add_typer(member_app, name="member")
app.add_typer(key_app, name="key")
app.add_typer(calls_app, name="calls")
app.add_typer(site_app, name="site")
app.add_typer(connection_app, name="connection")
app.add_typer(provider_app, name="provider")
app.add_typer(secret_app, name="secret")
app.add_typer(routing_app, name="routing")
app.add_typer(calendar_app, name="calendar")
