"""The process that call processes are forked from: it has what every call needs, and no secret."""

import multiprocessing
import os
from multiprocessing import forkserver

# What a call process needs of its environment: to find programs, libraries, certificates and its time zone.
_INHERITED = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "VIRTUAL_ENV")
_INHERITED_PREFIXES = ("LC_", "PYTHON")
# Imported once and shared: the session's own modules, and last the one that freezes them for the garbage collector,
# whose marks would make every page of them a process's own.
_PRELOADED = [
    "tenantry.channels.livekit_voice.worker.preload",
    "livekit.agents.ipc._preload",
    "livekit.agents.ipc._preload_freeze",
]


def start_forkserver() -> None:
    """Start it, before anything that starts call processes. They inherit its environment, which is ours by an allow
    list: what is secret here is none of theirs."""
    multiprocessing.get_context("forkserver").set_forkserver_preload(_PRELOADED)
    whole = dict(os.environ)
    forget_secrets()
    try:
        forkserver.ensure_running()
    finally:
        os.environ.update(whole)


def forget_secrets() -> None:
    """Leave in this process's environment what call processes may inherit; a fork server that died is started with it.
    What the process has read already, it keeps."""
    for name in list(os.environ):
        if name not in _INHERITED and not name.startswith(_INHERITED_PREFIXES):
            del os.environ[name]
    # LiveKit's end-of-turn model would take 244 MB; the voice activity's is loaded by our own preloading.
    os.environ["LIVEKIT_AGENTS_PRELOAD_LOCAL_INFERENCE"] = "0"
