"""The tables of an installation as the catalogue shows them."""

from dataclasses import dataclass
from uuid import UUID

from tenantry.storage.tenancy import Database, TenantTx

TENANT_SETTING = "app.tenant_id"
# A table either has a column tenant_id or is named here with the column that stands for it and the reason.
WITHOUT_TENANT_ID: dict[str, tuple[str | None, str]] = {
    "tenants": ("id", "a row is a tenant"),
    "users": (None, "a person may be a member of several tenants"),
    "schema_migrations": (None, "no data of anybody; the application has no right to it"),
    "pgqueuer_log": (None, "what became of jobs, by their numbers; the application has no right to it"),
    "pgqueuer_statistics": (None, "counts of jobs; the application has no right to it"),
    "pgqueuer_schedules": (None, "no data of anybody; the application has no right to it"),
}
NO_RIGHTS = frozenset({"schema_migrations", "pgqueuer", "pgqueuer_log", "pgqueuer_statistics", "pgqueuer_schedules"})


@dataclass(frozen=True, slots=True)
class Table:
    """A table. `name` and all columns are quoted for SQL; `columns` can be written; `key` is the primary key;
    `tenant_column` is None where rows are of no single tenant; `readable` says that the asking role may select."""

    oid: int
    name: str
    tenant_column: str | None
    columns: tuple[str, ...]
    key: tuple[str, ...]
    readable: bool

    @property
    def reachable(self) -> bool:
        """Whether the application's role has any business with it."""
        return self.name not in NO_RIGHTS

    def key_of(self, alias: str) -> str:
        """SQL for the row's primary key as one text."""
        return f"jsonb_build_array({', '.join(f'{alias}.{column}' for column in self.key)})::text"


_TABLES = r"""
    SELECT c.oid, c.oid::regclass::text AS name, has_table_privilege(c.oid, 'SELECT') AS readable,
           (SELECT array_agg(quote_ident(a.attname) ORDER BY a.attnum) FROM pg_attribute a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns,
           (SELECT array_agg(quote_ident(a.attname) ORDER BY k.position)
            FROM pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, position), pg_attribute a
            WHERE i.indrelid = c.oid AND i.indisprimary AND a.attrelid = c.oid AND a.attnum = k.attnum) AS key
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'f') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    ORDER BY c.oid
"""


async def all_tables(tx: TenantTx) -> list[Table]:
    """Every table outside of the system's own schemas."""
    found: list[Table] = []
    for row in await tx.rows(_TABLES):
        columns: list[str] = row["columns"] or []
        column = "tenant_id" if "tenant_id" in columns else WITHOUT_TENANT_ID.get(row["name"], (None, ""))[0]
        found.append(Table(row["oid"], row["name"], column, tuple(columns), tuple(row["key"] or ()), row["readable"]))
    return found


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key between two tables that both hold rows of tenants; columns are quoted and in pairs. With `cascades`
    a child goes with its parent."""

    name: str
    child: Table
    parent: Table
    columns: tuple[str, ...]
    parent_columns: tuple[str, ...]
    cascades: bool

    @property
    def of_one_tenant(self) -> bool:
        """Whether child and parent are always of the same tenant."""
        pairs = zip(self.columns, self.parent_columns, strict=True)
        return any(a == self.child.tenant_column and b == self.parent.tenant_column for a, b in pairs)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The columns that name the parent, but the tenant's."""
        pairs = zip(self.columns, self.parent_columns, strict=True)
        return [pair for pair in pairs if pair[0] != self.child.tenant_column]


_FOREIGN_KEYS = """
    SELECT conname, conrelid, confrelid, confdeltype = 'c' AS cascades,
        (SELECT array_agg(quote_ident(a.attname) ORDER BY k.position)
         FROM unnest(conkey) WITH ORDINALITY AS k (attnum, position), pg_attribute a
         WHERE a.attrelid = conrelid AND a.attnum = k.attnum) AS columns,
        (SELECT array_agg(quote_ident(a.attname) ORDER BY k.position)
         FROM unnest(confkey) WITH ORDINALITY AS k (attnum, position), pg_attribute a
         WHERE a.attrelid = confrelid AND a.attnum = k.attnum) AS parent_columns
    FROM pg_constraint WHERE contype = 'f' ORDER BY conrelid, conname
"""


async def foreign_keys(tx: TenantTx, tables: list[Table]) -> list[ForeignKey]:
    """Every foreign key between rows of tenants."""
    of_tenants = {table.oid: table for table in tables if table.tenant_column}
    return [
        ForeignKey(
            name=row["conname"],
            child=of_tenants[row["conrelid"]],
            parent=of_tenants[row["confrelid"]],
            columns=tuple(row["columns"]),
            parent_columns=tuple(row["parent_columns"]),
            cascades=row["cascades"],
        )
        for row in await tx.rows(_FOREIGN_KEYS)
        if row["conrelid"] in of_tenants and row["confrelid"] in of_tenants
    ]


async def fingerprints(db: Database, tenant_id: UUID) -> dict[str, str]:
    """A hash of the tenant's rows for each of its tables but the audit log, which grows by what is refused."""
    async with db.tenant(tenant_id) as tx:
        tables = [t for t in await all_tables(tx) if t.tenant_column and t.key and t.readable and t.name != "audit_log"]
        hashes = (
            f"SELECT '{t.name}' AS name, md5(string_agg(to_jsonb(r)::text, '' ORDER BY {t.key_of('r')})) AS hash "  # noqa: S608
            f"FROM {t.name} r WHERE r.{t.tenant_column} = $1"
            for t in tables
        )
        return {row["name"]: row["hash"] or "" for row in await tx.rows(" UNION ALL ".join(hashes), tenant_id)}


async def tables_holding(db: Database, tenant_id: UUID, texts: list[str]) -> list[str]:
    """The tables in whose rows of the tenant one of these texts stands, bytes being looked through in hexadecimal."""
    async with db.tenant(tenant_id) as tx:
        tables = [t for t in await all_tables(tx) if t.tenant_column and t.readable]
        counts = (
            f"SELECT '{t.name}' AS name, count(*) AS held FROM {t.name} r WHERE r.{t.tenant_column} = $1 "  # noqa: S608
            f"AND EXISTS (SELECT FROM unnest($2::text[]) AS x (part) WHERE position(x.part IN to_jsonb(r)::text) > 0)"
            for t in tables
        )
        return [row["name"] for row in await tx.rows(" UNION ALL ".join(counts), tenant_id, texts) if row["held"]]
