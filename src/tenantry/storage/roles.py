"""The three roles of a database: owner, application, operator, and what only an administrator can give them."""

import asyncio
import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import asyncpg

from tenantry.domain.errors import ConfigurationError
from tenantry.storage.address import ServerAddress

OWNER = "tenantry_owner"
APP = "tenantry_app"
OPERATOR = "tenantry_operator"
EXTENSIONS = ("btree_gist",)

_LOCK_KEY = 0x74656E616E747279
_SCRAM_ITERATIONS = 4096
_ATTRIBUTES = MappingProxyType(
    {
        "rolcanlogin": "LOGIN",
        "rolsuper": "NOSUPERUSER",
        "rolbypassrls": "NOBYPASSRLS",
        "rolcreaterole": "NOCREATEROLE",
        "rolcreatedb": "NOCREATEDB",
        "rolreplication": "NOREPLICATION",
    }
)
# Times are in milliseconds. A temporary table must never stand in for one of ours, so pg_temp comes last.
_SEARCH_PATH = "public, pg_temp"
_SETTINGS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        OWNER: {"search_path": _SEARCH_PATH},
        APP: {
            "search_path": _SEARCH_PATH,
            "statement_timeout": "30000",
            "idle_in_transaction_session_timeout": "60000",
        },
        OPERATOR: {
            "search_path": _SEARCH_PATH,
            "statement_timeout": "300000",
            "idle_in_transaction_session_timeout": "60000",
        },
    }
)
# Releases that have the fix of CVE-2025-8713, with which statistics tell of rows behind a policy.
_OLDEST = MappingProxyType({16: 160010, 17: 170006})


@dataclass(frozen=True, slots=True)
class RolePasswords:
    """The passwords of the three roles: printable ASCII, so that no client normalises them in its own way."""

    owner: str = field(repr=False)
    app: str = field(repr=False)
    operator: str = field(repr=False)

    def __post_init__(self) -> None:
        """Raises ValueError when a password is empty or not printable ASCII."""
        if not all(word and word.isascii() and word.isprintable() for word in (self.owner, self.app, self.operator)):
            raise ValueError("a role's password must be printable ASCII and not empty")

    def by_role(self) -> dict[str, str]:
        """The password of each role's name."""
        return {OWNER: self.owner, APP: self.app, OPERATOR: self.operator}


async def ensure_roles(admin: ServerAddress, passwords: RolePasswords) -> None:
    """Bring the roles of the database into the state the design asks for; nothing is written when they are in it.

    `admin` may be any role while there is nothing to do, so a database can be prepared by its administrator. Safe
    when several nodes do it at once. Raises ConfigurationError when the server is too old, or with the SQL that an
    administrator must run when `admin` may not; passwords are in that as SCRAM verifiers, which open nothing.
    """
    connection = await admin.connect()
    try:
        _check_version(int(await connection.fetchval("SHOW server_version_num")))
        if not await _missing(connection, admin, passwords):
            return
        await _apply(connection, admin, passwords)
        # PostgreSQL answers a grant that has no effect with a warning only.
        left = await _missing(connection, admin, passwords)
        if left:
            raise _not_permitted(admin, left, "some of it had no effect")
    finally:
        await connection.close()


async def _apply(
    connection: "asyncpg.Connection[asyncpg.Record]", admin: ServerAddress, passwords: RolePasswords
) -> None:
    async with connection.transaction():
        await connection.execute("SET LOCAL statement_timeout = 0")
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK_KEY)
        statements = await _missing(connection, admin, passwords)
        try:
            for statement in statements:
                await connection.execute(statement)
        except asyncpg.InsufficientPrivilegeError as error:
            raise _not_permitted(admin, statements, str(error).splitlines()[0]) from error


def _not_permitted(admin: ServerAddress, statements: list[str], reason: str) -> ConfigurationError:
    script = "\n".join(f"{statement};" for statement in statements)
    return ConfigurationError(
        f"The role {admin.user} may not prepare the database ({reason}). Have an administrator run, in the database "
        f"{admin.database}:\n{script}"
    )


def _check_version(number: int) -> None:
    oldest = _OLDEST.get(number // 10000, 160000)
    if number < oldest:
        raise ConfigurationError(
            f"PostgreSQL {number // 10000}.{number % 10000} is too old to keep tenants apart (CVE-2025-8713); "
            "use 18, 17.6 or 16.10, or a later release of these."
        )


async def _missing(
    connection: "asyncpg.Connection[asyncpg.Record]", admin: ServerAddress, passwords: RolePasswords
) -> list[str]:
    """The statements that are still to be run, in order."""
    rows = await connection.fetch(
        """
        SELECT rolname, rolcanlogin, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication,
               coalesce(rolconfig, '{}') AS rolconfig
        FROM pg_roles WHERE rolname = ANY ($1::text[])
        """,
        [OWNER, APP, OPERATOR],
    )
    found = {row["rolname"]: row for row in rows}
    secrets_of = passwords.by_role()
    opens = dict(
        zip(found, await asyncio.gather(*(_logs_in(admin, role, secrets_of[role]) for role in found)), strict=True)
    )
    statements: list[str] = []
    for role, password in secrets_of.items():
        if role not in found:
            statements.append(f"CREATE ROLE {role} {' '.join(_ATTRIBUTES.values())} PASSWORD '{_verifier(password)}'")
        else:
            wrong = [word for name, word in _ATTRIBUTES.items() if found[role][name] != (name == "rolcanlogin")]
            if wrong:
                statements.append(f"ALTER ROLE {role} {' '.join(wrong)}")
            if not opens[role]:
                statements.append(f"ALTER ROLE {role} PASSWORD '{_verifier(password)}'")
        has: list[str] = found[role]["rolconfig"] if role in found else []
        statements += [
            f"ALTER ROLE {role} SET {name} = {value}"
            for name, value in _SETTINGS[role].items()
            if f"{name}={value}" not in has
        ]
    if APP in found:
        await _refuse_owning(connection)
    return statements + await _missing_grants(connection, admin.database)


async def _missing_grants(connection: "asyncpg.Connection[asyncpg.Record]", database: str) -> list[str]:
    quoted = '"' + database.replace('"', '""') + '"'
    statements: list[str] = []
    memberships = await connection.fetch(
        """
        SELECT granted.rolname AS granted, member.rolname AS member
        FROM pg_auth_members
        JOIN pg_roles AS granted ON granted.oid = roleid
        JOIN pg_roles AS member ON member.oid = pg_auth_members.member
        WHERE member.rolname = ANY ($1::text[]) AND granted.rolname = ANY ($2::text[])
        """,
        [APP, OPERATOR],
        [OWNER, APP, OPERATOR],
    )
    statements += [f"REVOKE {row['granted']} FROM {row['member']}" for row in memberships]
    is_open: bool = await connection.fetchval(
        """
        SELECT EXISTS (SELECT FROM pg_namespace, aclexplode(nspacl) AS entry
                       WHERE nspname = 'public' AND entry.grantee = 0)
        """
    )
    rights = await connection.fetch(
        """
        SELECT wanted.role, wanted.target, wanted.privilege
        FROM (VALUES (1, $1, 'DATABASE', 'CONNECT'), (2, $1, 'DATABASE', 'CREATE'), (3, $2, 'DATABASE', 'CONNECT'),
                     (4, $3, 'DATABASE', 'CONNECT'), (5, $1, 'SCHEMA', 'USAGE'), (6, $1, 'SCHEMA', 'CREATE'),
                     (7, $2, 'SCHEMA', 'USAGE'), (8, $3, 'SCHEMA', 'USAGE')
             ) AS wanted (place, role, target, privilege)
        LEFT JOIN pg_roles ON rolname = wanted.role
        WHERE NOT coalesce(CASE wanted.target
            WHEN 'DATABASE' THEN has_database_privilege(pg_roles.oid, current_database(), wanted.privilege)
            -- What everyone may do in the schema is about to be revoked.
            ELSE has_schema_privilege(pg_roles.oid, 'public', wanted.privilege) AND NOT $4
        END, false)
        ORDER BY wanted.place
        """,
        OWNER,
        APP,
        OPERATOR,
        is_open,
    )
    for row in rights:
        target = f"DATABASE {quoted}" if row["target"] == "DATABASE" else "SCHEMA public"
        statements.append(f"GRANT {row['privilege']} ON {target} TO {row['role']}")
    if is_open:
        statements.append("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    installed = {row["extname"] for row in await connection.fetch("SELECT extname FROM pg_extension")}
    statements += [
        f"CREATE EXTENSION IF NOT EXISTS {name} SCHEMA public" for name in EXTENSIONS if name not in installed
    ]
    return statements


async def _refuse_owning(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    # Who owns a table is above its policies and grants.
    owns = await connection.fetchval(
        """
        SELECT count(*) FROM pg_shdepend
        WHERE refclassid = 'pg_authid'::regclass AND refobjid = to_regrole($1) AND deptype = 'o'
        """,
        APP,
    )
    if owns:
        raise ConfigurationError(
            f"The role {APP} owns {owns} objects of this server, and must own none; as an administrator, run "
            f"REASSIGN OWNED BY {APP} TO {OWNER} in each database."
        )


async def _logs_in(admin: ServerAddress, role: str, password: str) -> bool:
    try:
        connection = await replace(admin, user=role, password=password).connect()
    except ConfigurationError:
        return False
    await connection.close()
    return True


def _verifier(password: str) -> str:
    """The SCRAM-SHA-256 verifier that PostgreSQL keeps of a password (RFC 5802 and 7677).

    Sent in its place, so that the password is in no statement, and thus in no server log.
    """
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _SCRAM_ITERATIONS)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    salt_text, stored_text, server_text = (base64.b64encode(part).decode() for part in (salt, stored_key, server_key))
    return f"SCRAM-SHA-256${_SCRAM_ITERATIONS}:{salt_text}${stored_text}:{server_text}"
