"""The floor: the same request, reads and writes by hand on the same database, and nothing else.

usage: python -m bench.floor HOST PORT < connection.json     (arguments of asyncpg.connect)
"""

import hashlib
import json
import sys
from typing import Any
from uuid import UUID

import asyncpg
import uvicorn
from uuid_utils.compat import uuid7

from tenantry.auth.api_keys import tenant_of

REPLY = "Thank you. Which e-mail address may we write to?"


class Floor:
    """A raw ASGI application: authenticate, load, store, answer."""

    def __init__(self, connection: dict[str, Any]) -> None:
        self._connection = connection
        self._pool: asyncpg.Pool | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        body = b""
        more = True
        while more:
            message = await receive()
            body += message["body"]
            more = message.get("more_body", False)
        key = dict(scope["headers"])[b"authorization"].decode().removeprefix("Bearer ")
        answer = json.dumps(await self._turn(key, json.loads(body))).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": answer})

    async def _lifespan(self, receive: Any, send: Any) -> None:
        await receive()
        self._pool = await asyncpg.create_pool(**self._connection, min_size=1, max_size=10, reset=_keep)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._pool.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _turn(self, key: str, request: dict[str, Any]) -> dict[str, Any]:
        tenant_id = tenant_of(key)
        begin = f"BEGIN; SET LOCAL app.tenant_id = '{tenant_id}'"
        async with self._pool.acquire() as db:
            await db.execute(begin)
            who = await db.fetchrow(_WHO, tenant_id, hashlib.sha256(key.encode()).digest())
            await db.execute("COMMIT")
        if who is None:
            raise PermissionError
        turn_id, agent_id = uuid7(), UUID(request["agentId"])
        lead = hashlib.sha256(request["leadId"].encode()).digest()
        async with self._pool.acquire() as db:
            await db.execute(begin)
            contact_id = await db.fetchval(_CONTACT, tenant_id, lead)
            if contact_id is None:
                contact_id = uuid7()
                await db.execute("INSERT INTO contacts (tenant_id, id) VALUES ($1, $2)", tenant_id, contact_id)
                await db.execute(_IDENTITY, tenant_id, lead, contact_id)
            conversation = await db.fetchrow(_FIND, tenant_id, contact_id, request["conversationId"], agent_id)
            if conversation is None:
                conversation = await db.fetchrow(
                    _NEW, tenant_id, uuid7(), agent_id, who["member_id"], contact_id, request["conversationId"]
                )
            await db.fetch(
                _ACCEPT, tenant_id, conversation["id"], turn_id, request["idempotencyKey"], request["message"]
            )
            number = 2 * conversation["last_turn"] + 1
            await db.fetch(_HISTORY, tenant_id, conversation["id"], number)
            await db.execute("COMMIT")
        async with self._pool.acquire() as db:
            await db.execute(begin)
            await db.execute(_STORE, tenant_id, turn_id, REPLY)
            await db.execute("COMMIT")
        return {"reply": REPLY, "conversationId": str(conversation["id"]), "turnId": str(turn_id)}


async def _keep(_: Any) -> None:
    """Nothing to reset: only SET LOCAL is used."""


_WHO = (
    "SELECT k.member_id, t.slug FROM api_keys k JOIN tenants t ON t.id = k.tenant_id "
    "LEFT JOIN members m ON m.tenant_id = k.tenant_id AND m.id = k.member_id "
    "WHERE k.tenant_id = $1 AND k.key_hash = $2 AND k.revoked_at IS NULL"
)
_CONTACT = "SELECT contact_id FROM contact_identities WHERE tenant_id = $1 AND kind = 'external' AND hash = $2"
_IDENTITY = "INSERT INTO contact_identities (tenant_id, kind, hash, contact_id) VALUES ($1, 'external', $2, $3)"
_FIND = (
    "SELECT c.*, a.definition FROM conversations c JOIN agents a ON a.tenant_id = c.tenant_id AND a.id = c.agent_id "
    "WHERE c.tenant_id = $1 AND c.contact_id = $2 AND c.external_id = $3 AND c.agent_id = $4 FOR UPDATE OF c"
)
_NEW = (
    "INSERT INTO conversations (tenant_id, id, agent_id, first_agent_id, owner_member_id, contact_id, channel, "
    "external_id) VALUES ($1, $2, $3, $3, $4, $5, 'floor', $6) RETURNING *"
)
_ACCEPT = """
    WITH bumped AS (
        UPDATE conversations SET last_turn = last_turn + 1, last_event = last_event + 1, updated_at = now()
        WHERE tenant_id = $1 AND id = $2 RETURNING last_turn, last_event
    ), turn AS (
        INSERT INTO turns (tenant_id, id, conversation_id, number, status, idempotency_scope, idempotency_key,
                           request_hash, model, lease_id, lease_expires_at)
        SELECT $1, $3, $2, last_turn, 'running', $1, $4, sha256('floor'), 'floor', $3, now() + interval '20 s'
        FROM bumped
    ), message AS (
        INSERT INTO messages (tenant_id, conversation_id, number, turn_id, role, content)
        SELECT $1, $2, 2 * last_turn - 1, $3, 'contact', $5 FROM bumped
    )
    INSERT INTO events (tenant_id, conversation_id, seq, turn_id, type, data)
    SELECT $1, $2, last_event, $3, 'message.received', jsonb_build_object('text', $5::text) FROM bumped
"""
_HISTORY = (
    "SELECT number, role, content FROM messages WHERE tenant_id = $1 AND conversation_id = $2 AND number < $3 "
    "ORDER BY number DESC LIMIT 20"
)
_STORE = """
    WITH done AS (
        UPDATE turns SET status = 'done', result = jsonb_build_object('reply', $3::text), finished_at = now()
        WHERE tenant_id = $1 AND id = $2 RETURNING conversation_id, number
    ), conversation AS (
        UPDATE conversations c SET updated_at = now(), last_event = c.last_event + 1
        FROM done WHERE c.tenant_id = $1 AND c.id = done.conversation_id RETURNING c.last_event
    ), message AS (
        INSERT INTO messages (tenant_id, conversation_id, number, turn_id, role, content)
        SELECT $1, conversation_id, 2 * number, $2, 'agent', $3 FROM done
    )
    INSERT INTO events (tenant_id, conversation_id, seq, turn_id, type, data)
    SELECT $1, done.conversation_id, last_event, $2, 'reply', jsonb_build_object('text', $3::text)
    FROM done, conversation
"""


def main() -> None:
    """Serve the floor until the process is ended."""
    host, port = sys.argv[1], int(sys.argv[2])
    config = uvicorn.Config(Floor(json.load(sys.stdin)), host, port, log_config=None, access_log=False)
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main()
