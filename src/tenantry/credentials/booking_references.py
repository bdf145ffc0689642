"""The codes of bookings, made of the installation's key, so that none is stored."""

from uuid import UUID

from tenantry.credentials.master_key import ContactHasher
from tenantry.domain.booking_reference import reference_of


class BookingReferences:
    """Gives each booking its code, and each code the hash under which its booking is found."""

    def __init__(self, hasher: ContactHasher) -> None:
        self._hasher = hasher

    def of(self, tenant_id: UUID, booking_id: UUID) -> str:
        """The booking's code, always the same one."""
        return reference_of(int.from_bytes(self._hasher.hash(tenant_id, "booking", str(booking_id))))

    def hash(self, tenant_id: UUID, reference: str) -> bytes:
        """32 bytes for a code as `read_reference` gives it."""
        return self._hasher.hash(tenant_id, "booking-reference", reference)
