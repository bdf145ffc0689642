"""A search for secrets, in whatever spelling, in all that a run leaves behind."""

import base64
import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from tests.integration.whole_database import superuser

_TABLES = """
    SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
"""
_LEAST = 8


def spellings(secret: bytes) -> set[bytes]:
    """The secret as it is, in hexadecimal, percent-encoded, and in base64 wherever in a longer text it stands."""
    assert len(secret) >= _LEAST, "a secret so short is found anywhere"
    plain = {secret, secret.hex().encode(), secret.hex().upper().encode(), quote(secret, safe="").encode()}
    return plain | {
        encoded
        for encode in (base64.b64encode, base64.urlsafe_b64encode)
        for before in range(3)
        for encoded in [_inner(encode(bytes(before) + secret), before, len(secret))]
    }


def _inner(encoded: bytes, before: int, length: int) -> bytes:
    """The letters of base64 that depend on nothing but the secret, which `before` bytes precede."""
    return encoded[-(-before * 4 // 3) : (before + length) * 8 // 6]


def leaked(secrets: Iterable[bytes], places: Mapping[str, bytes]) -> list[str]:
    """In which places which secrets stand; a secret is told by its number and first letters."""
    return [
        f"secret {number} ({secret[:4]!r}…) in {place}"
        for number, secret in enumerate(dict.fromkeys(secrets))
        for spelling in [spellings(secret)]
        for place, content in places.items()
        if any(each in content for each in spelling)
    ]


async def dumped(home: Path) -> dict[str, bytes]:
    """Every table of the installation's database as text; bytes in it are in hexadecimal."""
    connection = await superuser(home)
    try:
        names = [row["name"] for row in await connection.fetch(_TABLES)]
        found: dict[str, bytes] = {}
        for name in names:
            content = io.BytesIO()
            await connection.copy_from_query(f"SELECT * FROM {name}", output=content)
            found[f"table {name}"] = content.getvalue()
        return found
    finally:
        await connection.close()


def unzipped(archive: bytes) -> Iterator[tuple[str, bytes]]:
    """The files of a zip."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        for name in opened.namelist():
            yield f"export {name}", opened.read(name)
