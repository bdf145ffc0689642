"""`tenantry key rotate`, `retire`: another key for what the installation keeps sealed, while everything goes on."""

from tenantry.cli.local import Home, Installation, open_installation, run, settings_for
from tenantry.credentials.key_ring import KeyRingFile
from tenantry.credentials.rotation import reseal
from tenantry.domain.errors import InvalidInput, SealedValueUnreadable
from tenantry.settings import Settings


def key_rotate(home: Home = None) -> None:
    """Make a new key of the vault, and seal all secrets, tokens and providers' keys anew under it. Servers may go on.

    Where TENANTRY_VAULT_KEYS gives the keys, everything is sealed under its first one, which all servers must have.
    """
    run(rotate(settings_for(home)))


async def rotate(settings: Settings) -> None:
    """What the command does. Raises InvalidInput where the environment gives the keys but not several, and
    SealedValueUnreadable."""
    async with open_installation(settings) as installation:
        match installation.keys:
            case KeyRingFile() as ring:
                ring.rotate()
                left = "`tenantry key retire` takes the one before away, from a minute from now on."
            case _ if settings.vault_keys is not None:
                left = "When this says 0, the others may be taken out of TENANTRY_VAULT_KEYS."
            case _:
                raise InvalidInput(
                    "The master key is given by TENANTRY_MASTER_KEY, so the keys of the vault are too: start all "
                    'servers with TENANTRY_VAULT_KEYS="master,NEW", then with "NEW,master", run this, and leave '
                    "`master` out. `openssl rand -base64 32` makes NEW."
                )
        done = await _resealed(installation)
    print(f"{done} values are sealed under the new key. {left}")


def key_retire(home: Home = None) -> None:
    """Take away the keys of the vault under which nothing is sealed any more: a copy of them opens nothing from now on.
    Older backups of the database then need the `vault.keys` of their time."""
    run(retire(settings_for(home)))


async def retire(settings: Settings) -> None:
    """What the command does. Raises Conflict soon after a rotation, InvalidInput where the environment gives the keys,
    and SealedValueUnreadable."""
    async with open_installation(settings) as installation:
        if not isinstance(installation.keys, KeyRingFile):
            raise InvalidInput("The keys are given by the environment; take the old ones out of TENANTRY_VAULT_KEYS.")
        installation.keys.check_settled()
        # What a server sealed just before it saw the new key.
        await _resealed(installation)
        gone = installation.keys.retire()
    print(f"{gone} keys are taken away")


async def _resealed(installation: Installation) -> int:
    done = await reseal(installation.db, installation.vault)
    if done.unreadable:
        raise SealedValueUnreadable(
            f"{done.unreadable} values cannot be opened with any key that is there, and stay as they are; the log "
            "names them. Restore the key, or set them again."
        )
    return done.values
