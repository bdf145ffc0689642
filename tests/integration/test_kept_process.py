"""What speaks and hears is a child that is started again, knows no secret, and does not outlive its parent."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import psutil
import pytest

# It starts a process that outlives it, writes down who they are and its environment, and is ready until its standard
# input ends.
_CHILD = """
import json, os, subprocess, sys
from tenantry.channels.livekit_voice.kept_process import ready_teller
tell_ready = ready_teller()
print("not ready")
other = subprocess.Popen(["sleep", "60"])
made = {"pid": os.getpid(), "other": other.pid, "environment": dict(os.environ)}
open(sys.argv[1], "a").write(json.dumps(made) + chr(10))
tell_ready()
while os.read(0, 64): pass
"""
_PARENT = """
import asyncio, sys
import uvloop
from tenantry.channels.livekit_voice.kept_process import KeptProcess
from tenantry.logs import configure_logs

async def main():
    configure_logs("info")
    child = KeptProcess("a_child", (sys.argv[2],))
    keeping = asyncio.create_task(child.keep())
    for _ in range(2):
        await child.ready.wait()
        print("ready", flush=True)
        while child.ready.is_set():
            await asyncio.sleep(0.01)
    await keeping

asyncio.run(main()) if sys.argv[1] == "asyncio" else uvloop.run(main())
"""


class _Child(msgspec.Struct):
    pid: int
    other: int
    environment: dict[str, str]


def _children(written: Path) -> list[_Child]:
    return [msgspec.json.decode(line, type=_Child) for line in written.read_text().splitlines()]


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_it_is_started_again_without_secrets_and_ends_with_its_parent(tmp_path: Path, loop: str) -> None:
    (tmp_path / "a_child.py").write_text(_CHILD)
    written = tmp_path / "written"
    path = os.pathsep.join([str(tmp_path), *sys.path])
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, loop, str(written)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": path, "TENANTRY_MASTER_KEY": "secret", "TZ": "UTC"},
    )
    with parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        psutil.Process(_children(written)[0].pid).kill()
        assert parent.stdout.readline() == b"ready\n"
        first, second = _children(written)
        assert first.pid != second.pid
        assert "secret" not in written.read_text()
        assert second.environment["TZ"] == "UTC"
        child = psutil.Process(second.pid)
        parent.kill()
    for made in first, second:
        psutil.Process(made.other).kill()
    psutil.wait_procs([child], timeout=10)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
