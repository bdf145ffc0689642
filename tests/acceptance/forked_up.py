"""`tenantry up` again and again: each start is a process of its own, forked from one that has imported everything.

usage: python -m tests.acceptance.forked_up PORT   (a line on standard input starts the next server)

What a start costs is then what the server does, not what Python reads. Every server prints what it prints; before it
stands a line `pid N`, and after its end a line `ended`.
"""

import ctypes
import os
import signal
import sys

import tenantry.tools.mcp.session  # noqa: F401 - imported with the first call otherwise
from tenantry.cli.main import app

_PR_SET_PDEATHSIG = 1


def main(port: str) -> None:
    """Start a server for each line, one after the other, until the input ends."""
    while sys.stdin.readline():
        pid = os.fork()
        if pid == 0:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            sys.stdin.close()
            sys.argv = ["tenantry", "up", "--no-demo", "--port", port]
            app()
            os._exit(0)
        print(f"pid {pid}", flush=True)
        os.waitpid(pid, 0)
        print("ended", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
