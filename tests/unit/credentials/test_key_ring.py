"""The vault's keys in the home folder: another one seals at once, those before it open until they are taken away."""

import base64
import os
import time
from pathlib import Path

import pytest

from tenantry.credentials.key_ring import KeyRing, KeyRingFile, load_key_ring
from tenantry.credentials.master_key import MasterKey
from tenantry.credentials.vault import Binding, Vault
from tenantry.domain.errors import ConfigurationError, Conflict, SealedValueUnreadable
from tenantry.domain.ids import new_id
from tenantry.settings import Settings

MASTER = MasterKey(bytes(range(32)))
PLACE = Binding(new_id(), None, "secret", new_id())
NEW = base64.b64encode(bytes(32)).decode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault.keys"


def settle(path: Path) -> None:
    """A minute passes."""
    past = time.time() - 61
    os.utime(path, (past, past))


def test_the_master_key_seals_until_there_is_another(path: Path) -> None:
    sealed = Vault(KeyRingFile(path, MASTER)).seal(PLACE, b"x")
    assert Vault(KeyRing([MASTER])).open(PLACE, sealed) == b"x"
    assert not path.exists()


def test_another_process_opens_what_a_newer_key_seals_and_then_seals_with_it(path: Path) -> None:
    running = Vault(KeyRingFile(path, MASTER))
    before = running.seal(PLACE, b"before")
    ring = KeyRingFile(path, MASTER)
    ring.rotate()
    after = Vault(ring).seal(PLACE, b"after")
    assert running.open(PLACE, after) == b"after"
    assert running.open(PLACE, before) == b"before"
    again = Vault(KeyRingFile(path, MASTER))
    assert running.header() == again.header() != Vault(KeyRing([MASTER])).header()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_that_is_taken_away_opens_nothing_any_more(path: Path) -> None:
    ring = KeyRingFile(path, MASTER)
    before = Vault(ring).seal(PLACE, b"x")
    ring.rotate()
    after = Vault(ring).seal(PLACE, b"x")
    with pytest.raises(Conflict, match="again in") as caught:
        ring.retire()
    assert 1 <= (caught.value.retry_after or 0) <= 60
    settle(path)
    assert ring.retire() == 1
    fresh = Vault(KeyRingFile(path, MASTER))
    assert fresh.open(PLACE, after) == b"x"
    with pytest.raises(SealedValueUnreadable):
        fresh.open(PLACE, before)
    settle(path)
    assert ring.retire() == 0


@pytest.mark.parametrize("text", ["", "no key", "AAAA\n", "\udcff"])
def test_keys_that_cannot_be_read_are_told_without_being_shown(path: Path, text: str) -> None:
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(ConfigurationError) as caught:
        KeyRingFile(path, MASTER)
    assert "AAAA" not in caught.value.detail


def test_keys_by_the_environment_come_before_those_of_the_home(tmp_path: Path) -> None:
    KeyRingFile(tmp_path / "vault.keys", MASTER).rotate()
    for settings, newest in (
        (Settings(tmp_path, vault_keys=f"{NEW}, master"), MasterKey(bytes(32))),
        (Settings(tmp_path, vault_keys=f"master,{NEW}"), MASTER),
        (Settings(tmp_path, master_key="given"), MASTER),
    ):
        assert Vault(load_key_ring(settings, MASTER)).header() == Vault(KeyRing([newest])).header()
    assert isinstance(load_key_ring(Settings(tmp_path), MASTER), KeyRingFile)
    with pytest.raises(ConfigurationError, match="TENANTRY_VAULT_KEYS"):
        load_key_ring(Settings(tmp_path, vault_keys="short"), MASTER)
    assert NEW not in repr(Settings(tmp_path, vault_keys=NEW))
