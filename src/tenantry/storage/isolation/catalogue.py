"""What the catalogue must say for row-level security to hold, table by table and for the application's role."""

from collections.abc import Iterator

from tenantry.storage.isolation.crossing import Crossing
from tenantry.storage.isolation.tables import (
    TENANT_SETTING,
    WITHOUT_TENANT_ID,
    ForeignKey,
    Table,
    all_tables,
    foreign_keys,
)
from tenantry.storage.tenancy import Database, Row, TenantTx

BORDER = "catalogue"

# Releases with the fixes for CVE-2025-8713 and CVE-2023-2455, which leaked rows past policies.
_FIXED_RELEASES = {16: 10, 17: 6}

_SECURITY = """
    SELECT relrowsecurity AND relforcerowsecurity AS forced, pg_has_role(current_user, relowner, 'MEMBER') AS owned,
           pg_get_userbyid(relowner) AS owner
    FROM pg_class WHERE oid = $1
"""
# A policy for PUBLIC, for the application's role, or for one that it is a member of.
_POLICIES = """
    SELECT polname, pg_get_expr(polqual, polrelid) AS using_rows, pg_get_expr(polwithcheck, polrelid) AS check_rows,
           polcmd
    FROM pg_policy WHERE polrelid = $1 AND polpermissive
      AND EXISTS (SELECT FROM unnest(polroles) AS r (oid) WHERE CASE r.oid WHEN 0 THEN true
                  ELSE pg_has_role(current_user, r.oid, 'MEMBER') END)
"""
_PRIVILEGES = """
    SELECT p FROM unnest($2::text[]) AS p WHERE has_table_privilege(current_user, $1::oid, p)
"""
_KEYS = """
    SELECT i.indexrelid::regclass::text AS name,
           (SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = i.indrelid AND attnum = i.indkey[0]) AS first
    FROM pg_index i WHERE i.indrelid = $1 AND (i.indisunique OR i.indisexclusion)
"""


async def examine(db: Database) -> list[Crossing]:
    """Every check of the catalogue, as the application's role sees it."""
    async with db.untenanted() as tx:
        tables = await all_tables(tx)
        found = [crossing for table in tables for crossing in await _table(tx, table)]
        found += [_foreign_key(key) for key in await foreign_keys(tx, tables)]
        return [*found, *await _installation(tx)]


def _check(what: str, expected: str, problem: str | None) -> Crossing:
    return Crossing(BORDER, "app role", what, expected, problem or "so it is", held=problem is None)


async def _table(tx: TenantTx, table: Table) -> list[Crossing]:
    what = f"table {table.name}"
    if not table.reachable:
        rights = await _rights(tx, table, "SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
        return [_check(what, "no rights at all", rights)]
    row = await tx.one(_SECURITY, table.oid)
    known = table.tenant_column is not None or table.name in WITHOUT_TENANT_ID
    return [
        _check(what, "a column tenant_id and a primary key", None if known and table.key else "it lacks one"),
        _check(
            what, "row-level security enabled and forced", None if row["forced"] else "it is not enabled and forced"
        ),
        _check(what, "another owner than the app role", f"{row['owner']} owns it" if row["owned"] else None),
        _check(what, "every policy asks for the tenant", _policy_problem(table, await tx.rows(_POLICIES, table.oid))),
        _check(
            what,
            "no TRUNCATE, REFERENCES, TRIGGER",
            await _rights(tx, table, "TRUNCATE", "REFERENCES", "TRIGGER"),
        ),
        await _keys(tx, table),
    ]


async def _rights(tx: TenantTx, table: Table, *rights: str) -> str | None:
    held = [row["p"] for row in await tx.rows(_PRIVILEGES, table.oid, list(rights))]
    return f"the app role may {', '.join(held)}" if held else None


def _policy_problem(table: Table, policies: list[Row]) -> str | None:
    if not policies:
        return f"table {table.name} has no policy for the app role"
    blind = [p["polname"] for p in policies if any(TENANT_SETTING not in part for part in _conditions(p))]
    return f"policy {', '.join(blind)} on {table.name} does not ask for the tenant" if blind else None


def _conditions(policy: Row) -> Iterator[str]:
    # Without WITH CHECK, USING is applied to new rows too; an INSERT policy has WITH CHECK alone.
    if policy["polcmd"] != b"a":
        yield policy["using_rows"] or ""
    if policy["check_rows"] is not None or policy["polcmd"] == b"a":
        yield policy["check_rows"] or ""


async def _keys(tx: TenantTx, table: Table) -> Crossing:
    what = f"table {table.name}"
    if table.name in WITHOUT_TENANT_ID:
        # A global key tells of other tenants' rows only to who can write them.
        held = await _rights(tx, table, "INSERT", "DELETE")
        return _check(what, "global keys, and no right to add rows", held)
    wrong = [row["name"] for row in await tx.rows(_KEYS, table.oid) if row["first"] != table.tenant_column]
    problem = f"{', '.join(wrong)} does not begin with {table.tenant_column}" if wrong else None
    return _check(what, "unique and exclusion keys begin with the tenant", problem)


def _foreign_key(key: ForeignKey) -> Crossing:
    problem = None if key.of_one_tenant else f"foreign key {key.name} leaves the tenant out"
    return _check(f"table {key.child.name}", f"{key.name} refers within the tenant", problem)


# Each query gives the names of what is wrong.
_INSTALLATION = (
    (
        "app role",
        "no superuser, BYPASSRLS, CREATEROLE, CREATEDB or REPLICATION",
        "SELECT rolname FROM pg_roles WHERE pg_has_role(current_user, oid, 'MEMBER') "
        "AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)",
    ),
    (
        "app role",
        "a member of no other role",
        "SELECT rolname FROM pg_roles WHERE rolname <> current_user AND pg_has_role(current_user, oid, 'MEMBER')",
    ),
    (
        "app role",
        "owns nothing",
        "SELECT count(*)::text || ' things' FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid "
        "WHERE d.refclassid = 'pg_authid'::regclass AND d.deptype = 'o' AND r.rolname = current_user "
        "HAVING count(*) > 0",
    ),
    (
        "schemas",
        "nowhere may the app role create anything",
        "SELECT nspname FROM pg_namespace "
        "WHERE nspname !~ '^pg_' AND has_schema_privilege(current_user, oid, 'CREATE')",
    ),
    (
        "views",
        "none but with security_invoker, and nothing materialised",
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND (c.relkind = 'm' OR (c.relkind = 'v' "
        "AND NOT coalesce(c.reloptions && '{security_invoker=true,security_invoker=on,security_invoker=1}', false)))",
    ),
    (
        "functions",
        # enqueue_job takes the tenant from the transaction, and nothing can be read by it.
        "none but enqueue_job is SECURITY DEFINER, and that with a fixed search_path",
        "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
        "WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND p.prosecdef "
        "AND NOT coalesce(p.oid = to_regprocedure('public.enqueue_job(text,uuid,interval)') "
        "AND p.proconfig = '{\"search_path=public, pg_temp\"}', false)",
    ),
    (
        "app role",
        "its settings name no tenant and no other role",
        "SELECT unnest(setconfig) FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole "
        "WHERE r.rolname = current_user AND array_to_string(setconfig, ' ') ~ 'app.tenant_id|role='",
    ),
)


async def _installation(tx: TenantTx) -> list[Crossing]:
    checks: list[Crossing] = []
    for what, expected, query in _INSTALLATION:
        wrong = [str(row[0]) for row in await tx.rows(query)]
        checks.append(_check(what, expected, ", ".join(wrong) or None))
    number = int(await tx.value("SELECT current_setting('server_version_num')"))
    major, minor = divmod(number, 10_000)
    behind = minor < _FIXED_RELEASES.get(major, 0) or major < min(_FIXED_RELEASES)
    problem = f"PostgreSQL {major}.{minor} lacks them" if behind else None
    return [*checks, _check("server", "the fixes for CVE-2025-8713 and CVE-2023-2455", problem)]
