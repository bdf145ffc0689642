"""Sealed values: not in the clear anywhere, not for another owner, and of no use in another tenant's row."""

import base64
from collections.abc import Callable
from functools import partial

from tenantry.cli.prove.world import World
from tenantry.credentials.provider_keys import ProviderKeys
from tenantry.credentials.secret_store import SecretStore, open_secret
from tenantry.credentials.vault import Vault
from tenantry.domain.errors import SealedValueUnreadable
from tenantry.storage.isolation.crossing import Crossing, untried
from tenantry.storage.isolation.tables import tables_holding
from tenantry.storage.repositories import providers, secrets
from tenantry.storage.tenancy import Database

BORDER = "sealed values"


async def attack(db: Database, vault: Vault, world: World) -> list[Crossing]:
    """Look for every secret of the victim's tenant, and ask for them as everyone else."""
    store = SecretStore(db, vault)
    found: list[Crossing] = []
    for party in world.a.parties:
        held = await tables_holding(db, world.a.tenant_id, _forms(party.secret_value))
        got = f"in {', '.join(held)}" if held else "in no table"
        found.append(
            Crossing(BORDER, "app role", f"the secret of {party.name}, unsealed", "in no table", got, not held)
        )
        own = await store.of(party.tenant_id, party.member_id).reveal(party.secret_name)
        found.append(_told("its owner", party.name, "the secret", own, own == party.secret_value))
        for other in (*world.a.parties, *world.b.parties):
            if other is party or (other.tenant_id == party.tenant_id and party.member_id is None):
                continue
            value = await store.of(other.tenant_id, other.member_id).reveal(party.secret_name)
            found.append(_told(f"{other.name} of {other.slug}", party.name, "nothing", value, value is None))
    return found


async def open_copies(db: Database, vault: Vault, world: World) -> list[Crossing]:
    """Open what the twins have of the victim's: sealed values that were copied into another tenant's rows."""
    tenant_id, opened = world.b.tenant_id, list[Callable[[], str]]()
    ids = {party.provider_id for party in world.a.parties}
    async with db.tenant(tenant_id) as tx:
        copied = [each for each in await providers.list_all(tx) if each.provider.id in ids]
        opened += [partial(ProviderKeys(vault).key_of, each) for each in copied]
        for twin in world.a.parties:
            name = twin.secret_name.replace(twin.word, f"twin{twin.word}")
            secret = await secrets.find(tx, name, twin.member_id)
            if secret is not None and secret.id == twin.secret_id:
                opened.append(partial(open_secret, vault, tenant_id, secret))
    found = [untried(BORDER, "copies", "no sealed value was copied")] if not opened else []
    for number, opening in enumerate(opened, 1):
        try:
            got = "opened" if opening() else "empty"
        except SealedValueUnreadable:
            got = "refused"
        what = f"sealed value {number}, copied into a row of its own"
        found.append(Crossing(BORDER, "another tenant", what, "refused", got, held=got == "refused"))
    return found


def _told(who: str, whose: str, expected: str, value: str | None, held: bool) -> Crossing:
    got = "nothing" if value is None else "the secret"
    return Crossing(BORDER, who, f"the secret of {whose} by its name", expected, got, held)


def _forms(value: str) -> list[str]:
    raw = value.encode()
    # Two bytes at each end of base64 depend on what stands beside them.
    return [value, raw.hex(), base64.b64encode(raw).decode()[4:-4]]
