"""The commands that export and delete a tenant and sweep what is not in use, as docs/how-to/privacy.md has them."""

import json
import stat
import zipfile
from pathlib import Path

from tenantry.server.runtime import Runtime
from tests.acceptance.commands import run
from tests.conftest import TenantForTest


async def test_a_tenant_is_swept_exported_and_deleted(
    session_home: Path, runtime: Runtime, tenant: TenantForTest, tmp_path: Path
) -> None:
    async with runtime.db.tenant(tenant.id) as tx:
        await tx.execute("UPDATE tenants SET contacts_archive_days = 30, contacts_delete_days = 60")
        await tx.execute(
            "INSERT INTO contacts (tenant_id, id, seen_active_at) VALUES ($1, gen_random_uuid(), "
            "now() - interval '31 days'), ($1, gen_random_uuid(), now() - interval '61 days')",
            tenant.id,
        )
    for flags, archived in ((("--dry-run",), "would be archived"), ((), "archived")):
        code, printed = await run(session_home, "lifecycle", "--tenant", tenant.slug, *flags)
        assert code == 0, printed
        assert archived in printed
        [contacts] = [line for line in printed.splitlines() if "contacts" in line]
        assert [int(word) for word in contacts.replace("│", " ").split() if word.isdigit()] == [2, 1]

    file = tmp_path / "export.zip"
    code, printed = await run(session_home, "tenant", "export", tenant.slug, str(file))
    assert code == 0, printed
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with zipfile.ZipFile(file) as archive:
        assert json.loads(archive.read("manifest.json"))["tenant"]["slug"] == tenant.slug

    code, printed = await run(session_home, "tenant", "delete", tenant.slug, "--yes")
    assert code == 0, printed
    removed = {cells[0]: cells[1] for line in printed.splitlines() if len(cells := line.replace("│", " ").split()) == 2}
    assert {name: removed[name] for name in ("contacts", "members", "users", "tenants")} == {
        "contacts": "1",
        "members": "4",
        "users": "4",
        "tenants": "1",
    }
