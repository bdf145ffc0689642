"""The origin of a web site (RFC 6454), as browsers name it in the header `Origin`."""

import ipaddress
import re
from urllib.parse import urlsplit

# Punycode where a host is not ASCII, which is how browsers send it.
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def parse_origin(text: str) -> str:
    """The origin as a browser sends it: in lower case and without the scheme's own port. Raises ValueError, with what
    is wrong, unless it is https://host[:port], or http:// where the host is this machine."""
    try:
        parts = urlsplit(text.lower())
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValueError("is no origin, such as https://www.example.com") from error
    bracketed = f"[{host}]" if ":" in host else host
    if parts.scheme not in _DEFAULT_PORTS or not _is_host(host):
        raise ValueError("is no origin, such as https://www.example.com")
    origin = f"{parts.scheme}://{bracketed}"
    if text.lower() not in (origin, f"{origin}:{port}"):
        raise ValueError("has more than scheme, host and port, such as https://www.example.com")
    if parts.scheme == "http" and not _is_this_machine(host):
        raise ValueError("is not https://, without which browsers give no microphone")
    return origin if port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{origin}:{port}"


def _is_host(host: str) -> bool:
    return _address(host) is not None or _HOST.fullmatch(host) is not None


def _is_this_machine(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or host.endswith(".localhost") or (address is not None and address.is_loopback)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
