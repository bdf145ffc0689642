"""The command line as a user runs it: real processes, real folders."""

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

TENANTRY = (sys.executable, "-m", "tenantry")
OURS = (
    "TENANTRY_",
    "DATABASE_",
    "AGENT_",
    "OPENAI_",
    "OPENROUTER_",
    "OTEL_",
    "LIVEKIT_",
    "REDIS_",
    "MICROSOFT_",
    "GOOGLE_",
)


def environment(home: Path) -> dict[str, str]:
    """The environment of a command that works on this home, and on no other installation."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    no_limits = {f"TENANTRY_LIMIT_{of}": "" for of in ("CONTACT", "MEMBER", "TENANT")}
    return kept | no_limits | {"TENANTRY_HOME": str(home), "COLUMNS": "200"}


async def run(
    home: Path, *arguments: str, more: Mapping[str, str] | None = None, typed: str | None = None
) -> tuple[int, str]:
    """Run a command to its end, with more of an environment and with lines for its standard input: exit code and what
    it printed."""
    process = await asyncio.create_subprocess_exec(
        *TENANTRY,
        *arguments,
        env={**environment(home), **(more or {})},
        stdin=asyncio.subprocess.PIPE if typed is not None else None,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate(typed.encode() if typed is not None else None)
    assert process.returncode is not None
    return process.returncode, output.decode()


@dataclass
class Up:
    """A running `tenantry up`."""

    process: asyncio.subprocess.Process
    url: str
    printed: str

    def tree(self) -> list[psutil.Process]:
        """The server's process and all that it started."""
        server = psutil.Process(self.process.pid)
        return [server, *server.children(recursive=True)]

    def key(self, who: str) -> str:
        """The key that was printed for the tenant or for a member."""
        return re.search(rf"{re.escape(who)}\s+(tnt_\S+)", self.printed)[1]  # pyright: ignore

    async def end(self, number: int) -> int:
        """Send a signal, wait for the end; the exit code."""
        self.process.send_signal(number)
        return await self.process.wait()


@contextlib.asynccontextmanager
async def up(home: Path, more: Mapping[str, str] | None = None) -> AsyncIterator[Up]:
    """`tenantry up` on a free port, ready, with more of an environment; ended at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *TENANTRY, "up", "--port", "0", env={**environment(home), **(more or {})}, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        first = (await process.stdout.readline()).decode()
        url = re.search(r"answers on (http://\S+)", first)
        assert url is not None, first
        printed = first
        while "curl" not in printed and "key create" not in printed:
            line = (await process.stdout.readline()).decode()
            assert line, printed
            printed += line
        yield Up(process, url[1], printed)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
            await process.wait()


async def all_gone(processes: list[psutil.Process]) -> bool:
    """Whether all of these end within 20 seconds."""
    _, alive = await asyncio.to_thread(psutil.wait_procs, processes, timeout=20)
    return not alive
