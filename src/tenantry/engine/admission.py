"""Whether a message is let in at all, before anything is kept of it."""

from tenantry.auth.rate_limits import RateLimiter
from tenantry.credentials.master_key import ContactHasher
from tenantry.engine.inbound import Inbound


async def admit(inbound: Inbound, limiter: RateLimiter, hasher: ContactHasher) -> None:
    """Count the message against its contact, member and tenant. Raises RateLimited."""
    who = inbound.principal
    await limiter.admit(who.tenant_id, who.member_id, _contact(inbound, hasher), who.tenant.limits)


def _contact(inbound: Inbound, hasher: ContactHasher) -> str | None:
    """The keyed hash of what names the contact; None when nothing does, as every such message is of a new one."""
    named = (
        ("external", inbound.lead_id),
        ("email", inbound.lead_email),
        ("conversation", inbound.conversation_ref or (inbound.conversation_id and str(inbound.conversation_id))),
    )
    for kind, identifier in named:
        if identifier is not None:
            return hasher.hash(inbound.principal.tenant_id, kind, identifier).hex()
    return None
