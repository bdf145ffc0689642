"""What the route of the audit log gives."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from tenantry.api.common import Page
from tenantry.storage.repositories.audit import AuditEntry


class AuditEntryOut(BaseModel):
    """One thing that was done. `actor` is who did it: `member:id`, `key:id` for a key of the tenant, or
    `operator:command`; `target` is what it was done to, such as `agent:id`."""

    id: UUID
    at: datetime
    actor: str
    action: str
    target: str
    details: Mapping[str, Any]

    @classmethod
    def of(cls, entry: AuditEntry) -> "AuditEntryOut":
        """The entry as it is shown."""
        return cls(
            id=entry.id,
            at=entry.at,
            actor=entry.actor,
            action=entry.action,
            target=entry.target,
            details=entry.details,
        )


class AuditPage(Page):
    """Entries, newest first."""

    items: list[AuditEntryOut]
