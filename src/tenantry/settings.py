"""Settings, read once at start from the environment; flags of the command line come before them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """Where PostgreSQL is. With no `url`, an embedded server runs inside the home folder."""

    url: str | None = None
    pool_size: int = 10
    acquire_timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Where the server listens."""

    host: str = "127.0.0.1"
    port: int = 8080


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one process."""

    home: Path
    master_key: str | None = field(default=None, repr=False)
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    http: HttpSettings = field(default_factory=HttpSettings)
    log_level: str = "info"


def default_home() -> Path:
    """`/var/lib/tenantry` for root, else `~/.tenantry`."""
    return Path("/var/lib/tenantry") if os.geteuid() == 0 else Path.home() / ".tenantry"


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from `TENANTRY_HOME`, `TENANTRY_HOST`, `TENANTRY_PORT`, `TENANTRY_POOL_SIZE`,
    `TENANTRY_MASTER_KEY`, `TENANTRY_LOG_LEVEL` and `DATABASE_URL`."""
    env = os.environ if environment is None else environment
    home = Path(env["TENANTRY_HOME"]).expanduser() if env.get("TENANTRY_HOME") else default_home()
    return Settings(
        home=home.absolute(),
        master_key=env.get("TENANTRY_MASTER_KEY") or None,
        database=DatabaseSettings(
            url=env.get("DATABASE_URL") or None, pool_size=int(env.get("TENANTRY_POOL_SIZE") or 10)
        ),
        http=HttpSettings(
            host=env.get("TENANTRY_HOST") or "127.0.0.1", port=int(env.get("TENANTRY_PORT") or 8080)
        ),
        log_level=env.get("TENANTRY_LOG_LEVEL") or "info",
    )
