"""The keys that seal values: the first seals, all of them open."""

import base64
import fcntl
import os
import secrets
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tenantry.credentials.master_key import LENGTH, MasterKey, decode_key
from tenantry.domain.errors import ConfigurationError, Conflict
from tenantry.settings import Settings

# In a list of keys it stands for the master key, which seals as long as there is no other.
_MASTER = "master"
ID_LENGTH = 8
# Longer than any transaction that seals: what one sealed under the key before is committed by then.
_GRACE_S = 60.0


class VaultKey:
    """A key that wraps the data keys of sealed values; `id` names it in them."""

    def __init__(self, key: MasterKey) -> None:
        self.id = key.derive("vault-key-id")[:ID_LENGTH]
        self.cipher = AESGCM(key.derive("vault"))


class KeyRing:
    """Keys that stay as they are."""

    def __init__(self, keys: Sequence[MasterKey]) -> None:
        """The first of `keys` seals. Raises ValueError without any."""
        if not keys:
            raise ValueError("a key ring needs a key")
        self._keys = [VaultKey(key) for key in keys]

    def current(self) -> VaultKey:
        """The key that seals now."""
        return self._keys[0]

    def find(self, key_id: bytes) -> VaultKey | None:
        """The key of this id, None when it is not there."""
        return next((key for key in self._keys if key.id == key_id), None)


class KeyRingFile(KeyRing):
    """Keys of the home folder, which `tenantry key rotate` changes while servers run: the file is looked at before each
    sealing, and when a value is met that a key seals which is not known yet."""

    def __init__(self, path: Path, master: MasterKey) -> None:
        """With no file yet, the master key seals. Raises ConfigurationError when the file cannot be read."""
        super().__init__([master])
        self._path = path
        self._master = master
        self._stamp: tuple[int, int] | None = None
        self._refresh()

    def current(self) -> VaultKey:
        """The key that seals now. Raises ConfigurationError when the file cannot be read."""
        self._refresh()
        return super().current()

    def find(self, key_id: bytes) -> VaultKey | None:
        """The key of this id, None when it is not there. Raises ConfigurationError when the file cannot be read."""
        known = super().find(key_id)
        if known is None:
            self._refresh()
        return known or super().find(key_id)

    def rotate(self) -> None:
        """Make a new key that seals from now on; those before it still open."""
        with self._alone():
            self._write([base64.b64encode(secrets.token_bytes(LENGTH)).decode(), *self._lines()])

    def retire(self) -> int:
        """Forget all keys but the one that seals; how many. Nothing may be sealed under them any more, as is made sure
        of after `check_settled`. Raises Conflict when the keys changed meanwhile."""
        with self._alone():
            self.check_settled()
            current, *rest = self._lines()
            if rest:
                self._write([current])
            return len(rest)

    def check_settled(self) -> None:
        """Raises Conflict when the keys changed so recently that a server may still keep what it sealed before."""
        age = time.time() - self._path.stat().st_mtime if self._path.exists() else _GRACE_S
        if age < _GRACE_S:
            wait = int(_GRACE_S - age) + 1
            raise Conflict(f"The keys were changed just now; do this again in {wait} seconds.", retry_after=wait)

    def _lines(self) -> list[str]:
        try:
            return self._path.read_text().split()
        except FileNotFoundError:
            return [_MASTER]
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{self._path} cannot be read; restore it from a backup.") from error

    def _refresh(self) -> None:
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return
        # Each version of the file is put into place as a file of its own.
        stamp = (there.st_ino, there.st_mtime_ns)
        if stamp != self._stamp:
            keys = parse_keys(self._lines(), self._master, str(self._path))
            self._keys, self._stamp = [VaultKey(key) for key in keys], stamp

    def _write(self, lines: list[str]) -> None:
        fresh = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write("\n".join(lines) + "\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        # A key must not be lost that something is sealed under.
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextmanager
    def _alone(self) -> Generator[None]:
        with self._path.with_name(f"{self._path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def parse_keys(words: Sequence[str], master: MasterKey, source: str) -> list[MasterKey]:
    """Keys in base64, or "master" for the master key. Raises ConfigurationError, which names the source."""
    if not words:
        raise ConfigurationError(f"{source} has no key; restore it from a backup.")
    return [master if word == _MASTER else MasterKey(decode_key(word, source)) for word in words]


def load_key_ring(settings: Settings, master: MasterKey) -> KeyRing:
    """The keys that are given (`TENANTRY_VAULT_KEYS`), else those of the home folder. A master key that is given comes
    with no keys of the home folder, which other nodes do not have. Raises ConfigurationError."""
    if settings.vault_keys is not None:
        words = settings.vault_keys.replace(",", " ").split()
        return KeyRing(parse_keys(words, master, "TENANTRY_VAULT_KEYS"))
    if settings.master_key is not None:
        return KeyRing([master])
    return KeyRingFile(settings.home / "vault.keys", master)
