"""What `postmaster.pid` says about the server of a data folder, and whether that is true."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Postmaster:
    """The contents of postmaster.pid (src/include/utils/pidfile.h); `ready` says that it takes connections."""

    pid: int
    port: int
    socket_folder: str
    ready: bool


def read_postmaster(data: Path) -> Postmaster | None:
    """What the file says, or None when there is none or it is not yet complete enough to name a process."""
    try:
        lines = (data / "postmaster.pid").read_text(errors="surrogateescape").splitlines()
    except FileNotFoundError:
        return None
    if not lines or not lines[0].strip().isdigit():
        return None
    lines += [""] * (8 - len(lines))
    port = int(lines[3]) if lines[3].isdigit() else 0
    return Postmaster(int(lines[0]), port, lines[4], lines[7].strip() == "ready")


def is_live_server(pid: int, data: Path) -> bool:
    """Whether the process is a running postgres of this data folder; a zombie is not, nor who got its number later."""
    if Path("/proc/self/stat").exists():
        try:
            # The name in parentheses may hold anything; the state is the first field behind it.
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            return state not in "ZX" and data.samefile(f"/proc/{pid}/cwd")
        except OSError:
            return False
    shown = subprocess.run(  # noqa: S603
        ["ps", "-ww", "-o", "stat=,args=", "-p", str(pid)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    return not shown.startswith("Z") and f"-D {data}" in shown


def end_stray_server(data: Path, socket_folder: Path, *, patience_s: float) -> None:
    """Wait until the server of an owner that is gone has stopped, and remove what it leaves.

    It is asked for a fast shutdown, which it does by itself where the system tells it of its owner's end. After
    `patience_s` seconds it is stopped at once, which costs a recovery and no data. The caller holds the home's lock.
    """
    left = read_postmaster(data)
    if left is None:
        return
    for number, seconds in ((signal.SIGINT, patience_s), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
        if _is_gone(left.pid, data, 0.0):
            break
        os.kill(left.pid, number)
        if _is_gone(left.pid, data, seconds):
            break
    # PostgreSQL takes a zombie, and any process with the old number, for a live server.
    for lock in (data / "postmaster.pid", socket_folder / f".s.PGSQL.{left.port}.lock"):
        lock.unlink(missing_ok=True)


def _is_gone(pid: int, data: Path, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_live_server(pid, data):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_S)
    return True
