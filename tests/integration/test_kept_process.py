"""What speaks and hears is a child that is started again, knows no secret, and does not outlive its parent."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

# It writes down its process id and environment, then says that it is ready, and ends with its standard input.
_CHILD = """
import json, os, sys
open(sys.argv[1], "a").write(json.dumps({"pid": os.getpid(), "environment": dict(os.environ)}) + chr(10))
print("ready", flush=True)
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


def _children(written: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in written.read_text().splitlines()]


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
        psutil.Process(_pid(_children(written)[0])).kill()
        assert parent.stdout.readline() == b"ready\n"
        first, second = _children(written)
        assert first["pid"] != second["pid"]
        assert "secret" not in written.read_text()
        assert "'TZ': 'UTC'" in str(second["environment"])
        child = psutil.Process(_pid(second))
        parent.kill()
    psutil.wait_procs([child], timeout=10)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def _pid(child: dict[str, object]) -> int:
    pid = child["pid"]
    assert isinstance(pid, int)
    return pid
