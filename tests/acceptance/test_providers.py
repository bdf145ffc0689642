"""Providers, secrets and allowed models, as an operator types them."""

import asyncio
import sys
from pathlib import Path

import pexpect

from tenantry.server.runtime import Runtime
from tests.acceptance.commands import TENANTRY, environment, run

KEY = "sk-live-0123456789abcdefWXYZ"


async def feed(home: Path, value: str, *arguments: str) -> tuple[int, str]:
    """Run a command with the value on its standard input."""
    process = await asyncio.create_subprocess_exec(
        *TENANTRY,
        *arguments,
        env=environment(home),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate(f"{value}\n".encode())
    assert process.returncode is not None
    assert KEY[:-4] not in output.decode()
    return process.returncode, output.decode()


async def test_providers_secrets_and_models_of_a_tenant(runtime: Runtime, session_home: Path) -> None:
    home = session_home
    assert (await run(home, "tenant", "create", "acme"))[0] == 0
    add = ("provider", "add", "mine", "https://models.example/v1", "--tenant", "acme", "--model", "fast=maker/fast-1")
    code, printed = await feed(home, KEY, *add)
    assert code == 0, printed
    code, printed = await feed(home, KEY, *add)
    assert (code, "already" in printed) == (1, True)
    code, printed = await run(home, "provider", "list", "--tenant", "acme")
    assert "mine" in printed
    assert "fast" in printed
    assert "…WXYZ" in printed
    assert KEY[:-4] not in printed
    assert (await run(home, "provider", "remove", "mine", "--tenant", "acme"))[0] == 0
    assert (await run(home, "tenant", "models", "acme", "maker/a", "form-policy"))[0] == 0
    code, printed = await run(home, "tenant", "models", "acme")
    assert printed.split() == ["maker/a", "form-policy"]
    # On a terminal the value is asked for and not shown.
    arguments = ["-m", "tenantry", "secret", "set", "crm", "--tenant", "acme"]
    terminal = pexpect.spawn(sys.executable, arguments, env=environment(home), encoding="utf-8", timeout=60)  # pyright: ignore[reportArgumentType]
    terminal.expect("crm")
    terminal.sendline("a secret value")
    terminal.expect(pexpect.EOF)
    assert "is set" in (terminal.before or "")
    assert "a secret value" not in (terminal.before or "")
    code, printed = await run(home, "secret", "list", "--tenant", "acme")
    assert "(tenant)" in printed
    assert (await run(home, "secret", "remove", "crm", "--tenant", "acme"))[0] == 0
