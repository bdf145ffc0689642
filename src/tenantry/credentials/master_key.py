"""The installation's master key, and the keys derived from it for one purpose each."""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from pathlib import Path
from uuid import UUID

from tenantry.domain.errors import ConfigurationError

LENGTH = 32


class MasterKey:
    """32 secret bytes. Only derived keys ever leave it."""

    def __init__(self, key: bytes) -> None:
        if len(key) != LENGTH:
            raise ConfigurationError("The master key must be 32 bytes in base64; `openssl rand -base64 32` makes one.")
        self._key = key

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose (HMAC-SHA256 as a key derivation function, NIST SP 800-108)."""
        return hmac.digest(self._key, purpose.encode(), hashlib.sha256)

    def password(self, role: str) -> str:
        """The password of a database role."""
        return self.derive(f"database-role:{role}").hex()


def load_master_key(home: Path, given: str | None) -> MasterKey:
    """The key that is given (base64, from `TENANTRY_MASTER_KEY`), else that of the home folder, made at first start.

    Raises ConfigurationError when it cannot be read.
    """
    if given is not None:
        return MasterKey(decode_key(given, "TENANTRY_MASTER_KEY"))
    path = home / "master.key"
    if not path.exists():
        _make(path)
    return MasterKey(decode_key(path.read_text(), str(path)))


def decode_key(text: str, source: str) -> bytes:
    """A key's bytes out of base64. Raises ConfigurationError, which names the source."""
    try:
        return base64.b64decode(text.strip(), validate=True)
    except binascii.Error as error:
        raise ConfigurationError(f"{source} is not base64; `openssl rand -base64 32` makes a key.") from error


def _make(path: Path) -> None:
    # Written beside and linked into place: a kill leaves no half key, and of two first starts one key wins.
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(base64.b64encode(secrets.token_bytes(LENGTH)).decode())
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()


class ContactHasher:
    """Hashes that find a contact again and name nobody to who lacks the key: keyed, and of one tenant."""

    def __init__(self, master: MasterKey) -> None:
        self._key = master.derive("contact-hash")

    def hash(self, tenant_id: UUID, kind: str, identifier: str) -> bytes:
        """32 bytes for a normalised identifier of this kind in this tenant."""
        return hmac.digest(self._key, tenant_id.bytes + kind.encode() + b"\0" + identifier.encode(), hashlib.sha256)
