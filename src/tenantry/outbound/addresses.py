"""Which addresses tenants' calls may go to: those of the internet, and what the operator allows besides."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Beyond what `is_global` knows: protocol assignments and the 6to4 relays.
_NOT_PUBLIC_V4 = tuple(IPv4Network(text) for text in ("192.0.0.0/24", "192.88.99.0/24"))
# IANA gives out global unicast addresses in here only; inside, protocol assignments with Teredo, and documentation.
_UNICAST_V6 = IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = tuple(IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "3fff::/20"))
_NAT64 = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class NetworkPolicy:
    """What the operator allows besides public addresses."""

    allowed: tuple[Network, ...] = ()

    def allows(self, address: Address) -> bool:
        """Whether a connection to the address may be made; one that stands for another counts as the other."""
        while (inner := _inner(address)) is not None:
            address = inner
        return _public(address) or any(address in network for network in self.allowed)


def _inner(address: Address) -> IPv4Address | None:
    """The IPv4 address that packets to an IPv6 address end at: mapped, 6to4 (RFC 3056), NAT64 (RFC 6052)."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


def _public(address: Address) -> bool:
    if address.is_multicast or not address.is_global:
        return False
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_V4)
    return address in _UNICAST_V6 and not any(address in network for network in _NOT_PUBLIC_V6)
