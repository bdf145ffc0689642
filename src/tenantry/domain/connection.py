"""What a member signed in to, so that their agents can use it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

ProviderName = Literal["microsoft", "google", "caldav"]
PROVIDERS: tuple[ProviderName, ...] = ("microsoft", "google", "caldav")


class Health(StrEnum):
    """How a connection stands: it works; it works still, but what renews it fails or soon ends; its owner has to sign
    in again; the provider or the owner took the consent back."""

    OK = "ok"
    EXPIRING = "expiring"
    NEEDS_SIGN_IN = "needs_sign_in"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Connection:
    """What is known of the sealed credential of a member, or with no owner of the tenant, for one provider. `account`
    is as whom they signed in, `reason` why the health is not `ok`, `expires_at` when the access token ends."""

    tenant_id: UUID
    id: UUID
    owner_member_id: UUID | None
    provider: ProviderName
    account: str
    scopes: tuple[str, ...]
    health: Health
    reason: str
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
