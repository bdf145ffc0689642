"""The life of an embedded PostgreSQL: one owner, a unix socket, and an end that comes with the owner's."""

import asyncio
import fcntl
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import structlog

from tenantry.domain.errors import ConfigurationError, HomeInUse
from tenantry.storage.address import ServerAddress
from tenantry.storage.cluster import (
    DATABASE,
    PORT,
    SUPERUSER,
    Cluster,
    Initdb,
    ServerUser,
    install_programs,
    make_folders,
    server_options,
    server_user,
    size_of_log,
    spawn,
    tail_of_log,
)
from tenantry.storage.postmaster import end_stray_server, is_live_server, read_postmaster

log = structlog.get_logger()

__all__ = ["EmbeddedServer", "ServerAddress", "running_address", "trim_log"]

_POLL_S = 0.01
_LOCK_PATIENCE_S = 0.5
# How long the server of a killed owner may take to stop, and a new one to find its memory released.
_OLD_SERVER_PATIENCE_S = 15.0
# A live server that is not ready is in recovery, which is long after a crash under load.
_READY_PATIENCE_S = 300.0
_STOP_PATIENCE_S = 60.0
_LOG_LIMIT_BYTES = 8_000_000
_LOG_TRIM_INTERVAL_S = 60.0
_WATCH_S = 0.5
_OLD_SERVER_HOLDS = ("lock file", "shared memory block")


class EmbeddedServer:
    """A PostgreSQL server inside one home, owned by this process.

    It stops when this process does, however that ends, and is started again when it ends by itself. No other process
    can own the home at the same time.
    """

    def __init__(self, home: Path, superuser_password: str) -> None:
        """`superuser_password` is fixed when the data folder is made; it is one line and not empty."""
        if not superuser_password or "\n" in superuser_password:
            raise ValueError("the superuser's password must be one line and not empty")
        self._cluster = Cluster(home.absolute())
        self._password = superuser_password
        self._lock: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def start(self) -> ServerAddress:
        """Take the home, make the data folder if there is none, start the server and wait until it is ready.

        Call it from the main thread: the server ends with the thread that started it. Raises HomeInUse when another
        process owns the home, ConfigurationError when the server cannot run there.
        """
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("start the embedded server from the main thread; it ends with the thread that starts it")
        if self._lock is not None:
            raise RuntimeError("this server is started already")
        try:
            user = server_user()
            make_folders(self._cluster, user)
            self._lock = await _take_lock(self._cluster.lock)
            trim_log(self._cluster.log, _LOG_LIMIT_BYTES)
            programs = await asyncio.to_thread(install_programs, self._cluster, user)
            await asyncio.to_thread(
                end_stray_server,
                self._cluster.data,
                self._cluster.socket_folder(),
                patience_s=_OLD_SERVER_PATIENCE_S,
            )
            if not self._cluster.data.is_dir():
                await self._make_data(programs, user)
            await self._start_postgres(programs, user)
            self._keeping = asyncio.create_task(self._keep(programs, user))
        except OSError as error:
            await self.stop()
            raise ConfigurationError(f"The embedded PostgreSQL cannot run in {self._cluster.home}: {error}") from error
        except BaseException:
            await self.stop()
            raise
        return _address(str(self._cluster.socket_folder()), PORT, self._password)

    async def stop(self) -> None:
        """Stop the server and give the home free. Transactions that are not committed are rolled back."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
            self._keeping = None
        process, self._process = self._process, None
        try:
            for number, seconds in ((signal.SIGINT, _STOP_PATIENCE_S), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
                if process is None or process.poll() is not None:
                    break
                process.send_signal(number)
                await _exits(process, seconds)
        finally:
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

    async def _make_data(self, programs: Path, user: ServerUser) -> None:
        initdb = Initdb(self._cluster, programs, user, self._password)
        try:
            if not await _exits(initdb.process, _READY_PATIENCE_S):
                raise ConfigurationError(f"PostgreSQL takes too long to make {self._cluster.data}")
            initdb.finish()
        finally:
            initdb.clean_up()

    async def _start_postgres(self, programs: Path, user: ServerUser) -> None:
        written = self._cluster.log
        give_up = time.monotonic() + _OLD_SERVER_PATIENCE_S
        while True:
            start_of_output = size_of_log(written)
            options = server_options(self._cluster)
            self._process = spawn(programs / "postgres", options, user, signal.SIGINT, written)
            if await self._becomes_ready(self._process):
                break
            output = tail_of_log(written, start_of_output)
            # The processes of a server that was killed may hold its memory for a moment longer.
            if time.monotonic() >= give_up or not any(word in output for word in _OLD_SERVER_HOLDS):
                raise ConfigurationError(f"The embedded PostgreSQL did not start; {written} says:\n{output}")
            await asyncio.sleep(0.1)

    async def _keep(self, programs: Path, user: ServerUser) -> None:
        """Start the server again when it was killed, and keep its log short."""
        trim_at = time.monotonic() + _LOG_TRIM_INTERVAL_S
        while True:
            await asyncio.sleep(_WATCH_S)
            try:
                if self._process is not None and self._process.poll() is not None:
                    log.error("the embedded PostgreSQL ended, starting it again", exit_code=self._process.returncode)
                    await self._start_postgres(programs, user)
                if time.monotonic() >= trim_at:
                    trim_at = time.monotonic() + _LOG_TRIM_INTERVAL_S
                    await asyncio.to_thread(trim_log, self._cluster.log, _LOG_LIMIT_BYTES)
            except (OSError, ConfigurationError) as error:
                # Tried again soon: until then every request is answered with a 503.
                log.error("the embedded PostgreSQL cannot be kept", exc_info=error)

    async def _becomes_ready(self, process: subprocess.Popen[bytes]) -> bool:
        give_up = time.monotonic() + _READY_PATIENCE_S
        while process.poll() is None:
            said = read_postmaster(self._cluster.data)
            if said is not None and said.pid == process.pid and said.ready:
                return True
            if time.monotonic() >= give_up:
                raise ConfigurationError(
                    f"The embedded PostgreSQL is not ready after {_READY_PATIENCE_S:.0f} s; see {self._cluster.log}"
                )
            await asyncio.sleep(_POLL_S)
        return False


def running_address(home: Path, superuser_password: str) -> ServerAddress | None:
    """The address of the server that runs on this home, whichever process owns it; None when none is ready.

    Raises ConfigurationError when the home is another user's.
    """
    cluster = Cluster(home.absolute())
    try:
        lock = os.open(cluster.lock, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise ConfigurationError(f"{cluster.home} belongs to another user; run this as that user.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        said = read_postmaster(cluster.data)
        if said is None or not said.ready or not is_live_server(said.pid, cluster.data):
            return None
        return _address(said.socket_folder, said.port, superuser_password)
    finally:
        os.close(lock)
    return None


def trim_log(log: Path, limit_bytes: int) -> None:
    """Move a log that has grown over the limit to `….1`; the server, which adds to its end, need not know."""
    if log.exists() and log.stat().st_size > limit_bytes:
        shutil.copyfile(log, log.with_name(f"{log.name}.1"))
        os.truncate(log, 0)


async def _take_lock(path: Path) -> int:
    """The open file whose lock is ours until it is closed or we end; no child inherits it."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    give_up = time.monotonic() + _LOCK_PATIENCE_S
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                # `running_address` holds the lock for an instant to see whether anyone does.
                if time.monotonic() >= give_up:
                    owner = os.pread(lock, 20, 0).decode(errors="replace").strip()
                    detail = (
                        f"Process {owner or 'unknown'} runs Tenantry on {path.parent}; stop it first, or set "
                        "TENANTRY_HOME to another folder."
                    )
                    raise HomeInUse(detail) from None
                await asyncio.sleep(_POLL_S)
            else:
                os.truncate(lock, 0)
                os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
                return lock
    except BaseException:
        os.close(lock)
        raise


async def _exits(process: subprocess.Popen[bytes], seconds: float) -> bool:
    give_up = time.monotonic() + seconds
    while process.poll() is None:
        if time.monotonic() >= give_up:
            return False
        await asyncio.sleep(_POLL_S)
    return True


def _address(socket_folder: str, port: int, password: str) -> ServerAddress:
    return ServerAddress(socket_folder, port, SUPERUSER, password, DATABASE)
