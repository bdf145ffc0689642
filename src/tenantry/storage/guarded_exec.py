"""Run as a script: turn into another program that ends when the process that started it ends.

usage: guarded_exec.py PARENT SIGNAL UID GID PROGRAM [ARGUMENT…], with UID -1 to stay the same user.

This is a process of its own and no `preexec_fn`, since Python code between fork and exec may deadlock when the parent
has threads.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, death_signal: int, uid: int, gid: int, command: list[str]) -> None:
    """Become `command`, as `uid` and `gid`; `death_signal` is sent to it when the thread that started it ends."""
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # After the change of user, which clears the signal, and before the look at the parent, which may be gone already.
    if sys.platform == "linux" and ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
        sys.exit("prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        sys.exit("the process that started this one is gone")
    os.umask(0o077)
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    parent, death_signal, uid, gid = (int(argument) for argument in sys.argv[1:5])
    main(parent, death_signal, uid, gid, sys.argv[5:])
