"""What every test may use: homes, one real installation for the session, and tenants of one's own in it."""

import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import pytest

from tenantry.auth.api_keys import hash_key, make_key
from tenantry.domain.access import Scope
from tenantry.domain.ids import new_id
from tenantry.domain.tenant import Role
from tenantry.server.runtime import Runtime, open_runtime
from tenantry.server.serving import bind, serving
from tenantry.settings import Settings
from tenantry.storage.repositories import api_keys, tenants
from tenantry.storage.tenancy import Database


@contextmanager
def new_home() -> Iterator[Path]:
    """A home that is not made yet, in a folder that `nobody` can enter, which pytest's own tmp_path is not."""
    folder = Path(tempfile.mkdtemp(prefix="tenantry-test-"))
    folder.chmod(0o755)
    yield folder / "home"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def home() -> Iterator[Path]:
    """A home of the test's own that is not made yet."""
    with new_home() as made:
        yield made


@pytest.fixture(scope="session")
def session_home() -> Iterator[Path]:
    """The home of the session's installation."""
    with new_home() as made:
        yield made


@pytest.fixture(scope="session")
async def empty_installation() -> AsyncIterator[Path]:
    """The home of an installation without a tenant that is not running; only to be copied."""
    with new_home() as made:
        async with open_runtime(Settings(home=made)):
            pass
        yield made


@pytest.fixture
def installed(home: Path, empty_installation: Path) -> Path:
    """The test's own home with an installation in it that has no tenant and is not running."""
    return copied_home(empty_installation, home)


def copied_home(source: Path, target: Path) -> Path:
    """A copy of a home that is not running, which takes a tenth of the time of making one."""
    # shutil would not keep who owns the data folder.
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)
    return target


@pytest.fixture(scope="session")
async def runtime(session_home: Path) -> AsyncIterator[Runtime]:
    """A real installation, on an embedded PostgreSQL, connected as the application's role."""
    async with open_runtime(Settings(home=session_home)) as opened:
        yield opened


@pytest.fixture(scope="session")
def database(runtime: Runtime) -> Database:
    """The installation's database."""
    return runtime.db


def without_jobs(runtime: Runtime) -> Runtime:
    """The runtime for a server that runs no jobs: a test says who does, and with which providers."""
    return replace(runtime, jobs={"of_no_test": _never})


async def _never(_: UUID, __: UUID) -> None:
    raise AssertionError


@pytest.fixture(scope="session")
async def url(runtime: Runtime) -> AsyncIterator[str]:
    """The installation over real HTTP."""
    async with serving(without_jobs(runtime), bind("127.0.0.1", 0)) as address:
        yield address


@dataclass(frozen=True)
class TenantForTest:
    """A fresh tenant: its id, its own key, and its members' ids and keys by name (mark and jon are editors)."""

    id: UUID
    slug: str
    key: str
    members: dict[str, UUID]
    keys: dict[str, str]


MakeTenant = Callable[[], Awaitable[TenantForTest]]
_ROLES = {"mark": Role.EDITOR, "jon": Role.EDITOR, "olga": Role.OWNER, "vera": Role.VIEWER}


@pytest.fixture(scope="session")
def make_tenant(database: Database) -> MakeTenant:
    """Makes tenants that nothing else uses."""

    async def make() -> TenantForTest:
        tenant_id = new_id()
        slug = f"t-{tenant_id.hex}"
        made = TenantForTest(tenant_id, slug, make_key(tenant_id), {}, {})
        async with database.operator(tenant_id) as tx:
            await tenants.create(tx, slug, slug, "UTC", tenant_id)
            for name, role in _ROLES.items():
                made.members[name] = await tenants.add_member(tx, f"{name}@{slug}.example", role, name)
                made.keys[name] = make_key(tenant_id)
            for member_id, key in ((None, made.key), *((made.members[name], made.keys[name]) for name in _ROLES)):
                await api_keys.create(
                    tx, key_hash=hash_key(key), name="test", member_id=member_id, scopes=frozenset(Scope)
                )
        return made

    return make


@pytest.fixture
async def tenant(make_tenant: MakeTenant) -> TenantForTest:
    """A fresh tenant."""
    return await make_tenant()
