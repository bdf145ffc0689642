"""Where a PostgreSQL server is and who connects to it."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

import asyncpg

from tenantry.domain.errors import ConfigurationError, DatabaseUnavailable


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """One role's way into one database; `host` is a name, or the folder of a unix socket.

    `ssl_mode` is one of libpq's words (`disable`, `prefer`, `require`, `verify-ca`, `verify-full`) and is of no effect
    on a unix socket.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    ssl_mode: str = field(default="prefer", kw_only=True)

    def arguments(self) -> dict[str, Any]:
        """The arguments of `asyncpg.connect` and `asyncpg.create_pool`."""
        return {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "database": self.database,
            "ssl": None if self._is_socket else self.ssl_mode,
        }

    def url(self) -> str:
        """The address as dbmate reads it. It holds the password: never put it in a log or on a command line."""
        who = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"
        database = quote(self.database, safe="")
        if self._is_socket:
            query = urlencode({"host": self.host, "port": self.port, "sslmode": "disable"}, quote_via=quote)
            return f"postgres://{who}@/{database}?{query}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"postgres://{who}@{host}:{self.port}/{database}?{urlencode({'sslmode': self.ssl_mode})}"

    @property
    def _is_socket(self) -> bool:
        return self.host.startswith("/")

    async def connect(self, *, timeout_s: float = 10.0) -> "asyncpg.Connection[asyncpg.Record]":
        """A connection of its own; the caller closes it.

        Raises ConfigurationError when the server refuses this role, password or database, and DatabaseUnavailable
        when it does not answer within `timeout_s` seconds or has no connection to give.
        """
        try:
            return await asyncpg.connect(**self.arguments(), timeout=timeout_s)
        except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
            raise ConfigurationError(f"PostgreSQL refuses {self.user} on {self.database}: {error}") from error
        except (
            OSError,
            TimeoutError,
            asyncpg.PostgresConnectionError,
            asyncpg.CannotConnectNowError,
            asyncpg.TooManyConnectionsError,
        ) as error:
            raise DatabaseUnavailable(f"PostgreSQL at {self.host} does not answer: {error}", retry_after=1) from error


def parse_url(url: str) -> ServerAddress:
    """The address in `postgres://user:password@host:port/database?sslmode=…`; `?host=/folder` names a unix socket.

    Raises ConfigurationError, which never repeats the URL, since that holds a password.
    """
    try:
        parts = urlsplit(url)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        host = query.get("host") or unquote(parts.hostname or "")
        port = int(query.get("port") or parts.port or 5432)
    except ValueError as error:
        raise ConfigurationError("DATABASE_URL cannot be read: its host or port is not valid.") from error
    database = unquote(parts.path.removeprefix("/"))
    if parts.scheme not in ("postgres", "postgresql") or not (host and parts.username and database):
        raise ConfigurationError("DATABASE_URL must read postgres://user:password@host:port/database.")
    password = unquote(parts.password or "")
    ssl_mode = query.get("sslmode") or "prefer"
    return ServerAddress(host, port, unquote(parts.username), password, database, ssl_mode=ssl_mode)
