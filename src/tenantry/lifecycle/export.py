"""A tenant as a zip of JSON Lines, and of what was recorded of its calls, made while it is sent."""

import asyncio
import io
import zipfile
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from tenantry.credentials.call_recordings import CallRecordings
from tenantry.credentials.vault import Vault
from tenantry.domain.errors import SealedValueUnreadable
from tenantry.storage import export
from tenantry.storage.repositories import audit, recordings, tenants
from tenantry.storage.tenancy import Database, TenantTx

FORMAT = "tenantry-export"
FORMAT_VERSION = 1
MANIFEST = "manifest.json"
_CHUNK = 64 * 1024


class _Outbox(io.RawIOBase):
    """Where the zip is written to, and sent from; it cannot be sought in, so that nothing has to be kept."""

    def __init__(self) -> None:
        super().__init__()
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._written += piece
        return len(piece)

    def waiting(self) -> int:
        """How many bytes there are to take."""
        return len(self._written)

    def take(self) -> bytes:
        """What was written since the last time."""
        taken, self._written = bytes(self._written), bytearray()
        return taken


async def export_tenant(db: Database, vault: Vault, tenant_id: UUID, by: str) -> AsyncGenerator[bytes]:
    """The zip, piece by piece: a file `table.jsonl` for each table and `recordings/ID.ogg` for each call that was
    recorded, then `manifest.json` with the format's version and how much each file has. All of it is as of one moment;
    no seal and no hash is in it. `by` is who asks, as `kind:id`. Raises ExportRunning before the first piece."""
    # Before the first row leaves, and not in the snapshot, which only reads.
    async with db.tenant(tenant_id) as tx:
        await audit.record(tx, actor=by, action="tenant.exported", target=f"tenant:{tenant_id}")
    async with export.snapshot(db, tenant_id) as tx:
        tenant = await tenants.current(tx)
        exported_at = datetime.now(UTC)
        outbox = _Outbox()
        manifest: list[dict[str, Any]] = []
        recorded: list[dict[str, Any]] = []
        with zipfile.ZipFile(outbox, "w", zipfile.ZIP_DEFLATED) as archive:
            for files in (_tables(tx, archive, manifest), _recordings(tx, vault, archive, recorded)):
                async with aclosing(files):
                    async for _ in files:
                        if outbox.waiting() >= _CHUNK:
                            yield outbox.take()
            about = {
                "format": FORMAT,
                "version": FORMAT_VERSION,
                "tenant": {"id": tenant.id, "slug": tenant.slug, "name": tenant.name},
                "exported_at": exported_at,
                "tables": manifest,
                "recordings": recorded,
            }
            archive.writestr(MANIFEST, msgspec.json.format(msgspec.json.encode(about)))
    yield outbox.take()


async def _tables(tx: TenantTx, archive: zipfile.ZipFile, manifest: list[dict[str, Any]]) -> AsyncGenerator[None]:
    """Write every table, with a pause after some rows each."""
    for of in await export.tables(tx):
        name, rows = f"{of.table.name}.jsonl", 0
        with archive.open(name, "w", force_zip64=True) as file:
            async with aclosing(export.lines(tx, of)) as found:
                async for lines in found:
                    rows += len(lines)
                    # Deflating takes milliseconds, during which others are to be answered.
                    await asyncio.to_thread(file.write, ("\n".join(lines) + "\n").encode())
                    yield
        manifest.append({"table": of.table.name, "file": name, "rows": rows, "left_out": of.left_out})


async def _recordings(
    tx: TenantTx, vault: Vault, archive: zipfile.ZipFile, manifest: list[dict[str, Any]]
) -> AsyncGenerator[None]:
    """Write every recording, with a pause after each piece. A piece that no key opens is left out and counted, since
    it must not keep the rest from being exported."""
    opening = CallRecordings(vault)
    for call_id in await recordings.recorded_calls(tx):
        name, size, unreadable = f"recordings/{call_id}.ogg", 0, 0
        # Not deflated: what is encoded does not get smaller.
        with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as file:
            for piece in await recordings.of_call(tx, call_id):
                try:
                    audio = await opening.audio(tx, piece)
                except SealedValueUnreadable:
                    unreadable += 1
                    continue
                size += file.write(audio)
                yield
        manifest.append({"call_id": call_id, "file": name, "bytes": size, "unreadable_pieces": unreadable})
