"""`python -m tenantry` is the command line."""

from tenantry.cli.main import app

app()
