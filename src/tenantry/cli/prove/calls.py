"""What each party's callers said on the phone, and the sites that they called from."""

from dataclasses import replace
from datetime import UTC, datetime

from tenantry.auth.site_keys import make_site_key
from tenantry.auth.tenant_secrets import hash_secret, make_secret
from tenantry.cli.prove.world import Party, Side, World
from tenantry.credentials.call_recordings import CallRecordings
from tenantry.credentials.vault import Vault
from tenantry.domain.call import Utterance
from tenantry.domain.errors import TenantryError
from tenantry.domain.ids import new_id
from tenantry.storage.isolation.seeding import keep_calling
from tenantry.storage.repositories import calls, sites
from tenantry.storage.repositories.calls import NewCall
from tenantry.storage.tenancy import Database


async def call(db: Database, vault: Vault, world: World) -> World:
    """The world after every party had a call, which goes on, in the conversation that it has."""
    return replace(world, a=await _side(db, vault, world.a), b=await _side(db, vault, world.b))


async def _side(db: Database, vault: Vault, side: Side) -> Side:
    first, second, own = [await _called(db, vault, party) for party in side.parties]
    return replace(side, first=first, second=second, own=own)


async def _called(db: Database, vault: Vault, party: Party) -> Party:
    call_id, token = new_id(), make_secret(party.tenant_id)
    async with db.tenant(party.tenant_id) as tx:
        origins = [f"https://{party.word}.example"]
        site = await sites.create(tx, party.word, make_site_key(party.tenant_id), origins, [party.agent_id])
        await calls.create(
            tx,
            NewCall(
                id=call_id,
                conversation_id=party.conversation_id,
                room=f"room-{party.word}",
                participant=f"caller-{party.word}",
                transport="websocket",
                kinds=(),
                site_id=site.id,
            ),
        )
        await calls.claim(tx, call_id, hash_secret(token), recognition="local", speech="local", local=True)
        await keep_calling(tx)
        said = f"Said {party.word}"
        await calls.add_utterance(tx, call_id, Utterance(1, party.turn_id, said, said, False, {}, datetime.now(UTC)))
        made = await calls.get(tx, call_id, sees_only=None)
        if made is None:
            raise TenantryError("The proof cannot see a call of its own.")
        await CallRecordings(vault).add(tx, made, 0, f"Recorded {party.word}".encode())
    return replace(party, call_id=call_id, site_id=site.id)
