"""The audit log: who did what to which thing."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tenantry.client.transport import Transport


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One thing that was done; `actor` and `target` are `kind:id`."""

    id: UUID
    at: datetime
    actor: str
    action: str
    target: str
    details: Mapping[str, Any]


class AuditLog:
    """`/api/v1/audit`. Every method raises ApiError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        target: str | None = None,
        begins: datetime | None = None,
        ends: datetime | None = None,
    ) -> AsyncGenerator[AuditEntry]:
        """The entries that match all that is asked for, newest first."""
        between = {"from": begins, "to": ends}
        return self._transport.pages("/api/v1/audit", AuditEntry, actor=actor, action=action, target=target, **between)
