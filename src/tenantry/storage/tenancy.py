"""The only maker of a tenant's transaction: the tenant is set inside it, and gone with it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from tenantry.domain.errors import DatabaseUnavailable, InvalidInput

Row = asyncpg.Record
_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # asked between the server's goodbye and the end of the connection
    asyncpg.TooManyConnectionsError,
    asyncpg.OperatorInterventionError,  # it shuts down, or cut a statement off that took too long
)
# What PostgreSQL keeps in no text: U+0000, and half of a surrogate pair, which UTF-8 cannot write.
_NO_TEXT = (asyncpg.UntranslatableCharacterError, asyncpg.CharacterNotInRepertoireError, UnicodeEncodeError)


@dataclass(frozen=True, slots=True)
class TenantTx:
    """A transaction in which the database shows and takes rows of one tenant only."""

    tenant_id: UUID
    conn: "PoolConnectionProxy[Row]"

    async def rows(self, query: str, *args: Any) -> list[Row]:
        """All rows of the query."""
        return await self.conn.fetch(query, *args)

    async def row(self, query: str, *args: Any) -> Row | None:
        """The first row of the query, or None."""
        return await self.conn.fetchrow(query, *args)

    async def one(self, query: str, *args: Any) -> Row:
        """The one row of a query that always has one."""
        row = await self.conn.fetchrow(query, *args)
        if row is None:
            raise LookupError("a query that always has a row had none")
        return row

    async def value(self, query: str, *args: Any) -> Any:
        """The first column of the first row, or None."""
        return await self.conn.fetchval(query, *args)

    @asynccontextmanager
    async def savepoint(self, *, keep: bool = True) -> AsyncGenerator[None]:
        """A part of the transaction that is undone by itself on an exception, and without `keep` in any case."""
        await self.conn.execute("SAVEPOINT part")
        try:
            yield
        except Exception:
            await self._undo()
            raise
        if keep:
            await self.conn.execute("RELEASE SAVEPOINT part")
        else:
            await self._undo()

    async def _undo(self) -> None:
        await self.conn.execute("ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part")

    async def execute(self, query: str, *args: Any) -> int:
        """Run a statement; the number of rows it touched."""
        status = await self.conn.execute(query, *args)
        last = status.rsplit(" ", 1)[-1]
        return int(last) if last.isdigit() else 0


def to_json(value: Any) -> str:
    """The JSON text of frozen types, as it is kept in a jsonb column."""
    return msgspec.json.encode(value).decode()


async def prepare_connection(conn: Any) -> None:
    """Hand jsonb over as text, so that each repository decodes it once, straight into its type."""
    await conn.set_type_codec("jsonb", schema="pg_catalog", encoder=to_json, decoder=_raw, format="text")


def _raw(text: str) -> str:
    return text


async def _reset(conn: Any) -> None:
    # Only SET LOCAL is ever used, so ending the transaction leaves nothing behind; asyncpg's own reset costs a
    # round trip on every release.
    if conn.is_in_transaction():
        await conn.execute("ROLLBACK")


class Database:
    """Two pools on one database: the application's role, and the operator's for what concerns no single tenant."""

    def __init__(
        self,
        app: "asyncpg.Pool[Row]",
        operator: "asyncpg.Pool[Row]",
        operator_dsn: dict[str, Any],
        acquire_timeout_s: float,
    ) -> None:
        self._app = app
        self._operator = operator
        self._operator_dsn = operator_dsn
        self._acquire_timeout_s = acquire_timeout_s

    @classmethod
    async def connect(
        cls, app_dsn: dict[str, Any], operator_dsn: dict[str, Any], *, pool_size: int, acquire_timeout_s: float
    ) -> "Database":
        """Open both pools. The mappings are arguments of `asyncpg.connect`."""
        app = await asyncpg.create_pool(
            **app_dsn, min_size=1, max_size=pool_size, init=prepare_connection, reset=_reset, command_timeout=60
        )
        operator = await asyncpg.create_pool(
            **operator_dsn, min_size=0, max_size=2, init=prepare_connection, reset=_reset, command_timeout=60
        )
        return cls(app, operator, operator_dsn, acquire_timeout_s)

    def tenant(self, tenant_id: UUID) -> "_Transaction":
        """A transaction of the tenant, committed at the end, rolled back on an exception.

        Raises DatabaseUnavailable when no connection can be had in time.
        """
        return _Transaction(self._app, _begin(tenant_id), tenant_id, self._acquire_timeout_s)

    @asynccontextmanager
    async def untenanted(self) -> AsyncGenerator[TenantTx]:
        """A transaction of the application's role on a connection that never had a tenant, which must see nothing:
        for the proof of isolation alone."""
        await self._app.expire_connections()
        async with _Transaction(self._app, "BEGIN", UUID(int=0), self._acquire_timeout_s) as tx:
            yield tx

    def operator(self, tenant_id: UUID | None = None) -> "_Transaction":
        """A transaction of the operator, in one tenant's rows too when it is given."""
        of = tenant_id or UUID(int=0)
        return _Transaction(self._operator, _begin(of), of, self._acquire_timeout_s)

    @asynccontextmanager
    async def operator_connection(self) -> "AsyncGenerator[asyncpg.Connection[Row]]":
        """A connection of the operator beside the pools, for what listens as long as it runs."""
        connection = await asyncpg.connect(**self._operator_dsn, timeout=self._acquire_timeout_s, command_timeout=60)
        try:
            yield connection
        finally:
            await connection.close(timeout=1)

    def connections_in_use(self) -> int:
        """How many connections of the application's pool are handed out."""
        return self._app.get_size() - self._app.get_idle_size()

    async def close(self) -> None:
        """Close both pools, waiting for what runs."""
        await self._app.close()
        await self._operator.close()


class _Transaction:
    """One transaction; a class, since every request pays for it several times."""

    __slots__ = ("_acquire_timeout_s", "_begin", "_conn", "_pool", "_tenant_id")

    def __init__(self, pool: "asyncpg.Pool[Row]", begin: str, tenant_id: UUID, acquire_timeout_s: float) -> None:
        self._pool = pool
        self._begin = begin
        self._tenant_id = tenant_id
        self._acquire_timeout_s = acquire_timeout_s
        self._conn: PoolConnectionProxy[Row] | None = None

    async def __aenter__(self) -> TenantTx:
        try:
            conn = self._conn = await self._pool.acquire(timeout=self._acquire_timeout_s)
        except _AWAY as error:
            raise DatabaseUnavailable(retry_after=1) from error
        try:
            await conn.execute(self._begin)
        except BaseException as error:
            await self._abandon(conn, error)
            raise
        return TenantTx(self._tenant_id, conn)

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        conn = self._conn
        if conn is None:
            return
        if error is not None:
            await self._abandon(conn, error)
            return
        try:
            await conn.execute("COMMIT")
        except BaseException as failed:
            await self._abandon(conn, failed)
            raise
        await self._give_back(conn)

    async def _abandon(self, conn: "PoolConnectionProxy[Row]", error: BaseException) -> None:
        """Roll back and give the connection back. Raises DatabaseUnavailable for what may pass, InvalidInput for text
        that cannot be kept."""
        try:
            await _roll_back(conn, error)
        finally:
            await self._give_back(conn)
        if isinstance(error, _AWAY):
            raise DatabaseUnavailable(retry_after=1) from error
        if isinstance(error, asyncpg.TransactionRollbackError):
            detail = "The database gave another request way; nothing was changed, send this one again."
            raise DatabaseUnavailable(detail, retry_after=1) from error
        if isinstance(error, _NO_TEXT):
            raise InvalidInput("A text holds U+0000 or half of a surrogate pair; leave those out.") from error

    async def _give_back(self, conn: "PoolConnectionProxy[Row]") -> None:
        # What cannot be reset any more is closed by the pool; what the transaction did is decided already.
        with suppress(*_AWAY):
            await self._pool.release(conn)


async def _roll_back(conn: "PoolConnectionProxy[Row]", error: BaseException) -> None:
    """End what was begun, also when the task is cancelled again meanwhile."""
    # Who was cancelled does not know yet what became of the last statement.
    unsure = isinstance(error, asyncio.CancelledError)
    # A connection that the server has closed meanwhile cannot even be asked for its state.
    with suppress(*_AWAY):
        if conn.is_closed() or not (unsure or conn.is_in_transaction()):
            return
        ending = asyncio.ensure_future(conn.execute("ROLLBACK"))
        while not ending.done():
            with suppress(asyncio.CancelledError):
                await asyncio.shield(ending)
        ending.result()


def _begin(tenant_id: UUID) -> str:
    # One round trip for both; a UUID object is the only thing that is ever written into the text.
    return f"BEGIN; SET LOCAL app.tenant_id = '{UUID(int=tenant_id.int)}'"
