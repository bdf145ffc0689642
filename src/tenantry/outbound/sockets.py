"""Sockets that are opened to allowed addresses only."""

import socket
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from tenantry.outbound.addresses import NetworkPolicy

# Makes the socket for one resolved address, as `getaddrinfo` gives it. Raises OSError where there is to be none.
SocketFactory = Callable[[tuple[Any, ...]], socket.socket]


class AddressNotAllowed(OSError):
    """The text is the same for every address: aiohttp then raises this very error when all of a host's fail."""

    def __init__(self) -> None:
        super().__init__("the address is not allowed")


def guarded_sockets(policy: NetworkPolicy) -> SocketFactory:
    """Sockets under the policy, also as `socket_factory` of an `aiohttp.TCPConnector`. It raises AddressNotAllowed."""

    def factory(address_info: tuple[Any, ...]) -> socket.socket:
        # The address that is really connected to, whatever name or number led to it and however often it changes.
        family, kind, protocol, _, (host, *_) = address_info
        if not policy.allows(ip_address(host)):
            raise AddressNotAllowed
        return socket.socket(family, kind, protocol)

    return factory
