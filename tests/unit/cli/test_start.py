"""A command that does not serve starts without what serves, which takes a second to import."""

import subprocess
import sys

HEAVY = ("fastapi", "uvicorn", "dateparser", "mcp", "tenantry.engine.turn", "tenantry.server.app")


def test_the_command_line_is_read_without_importing_what_serves() -> None:
    code = f"import sys, tenantry.cli.main\nprint([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
