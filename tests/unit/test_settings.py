"""Settings are read from the environment, and what is no setting is told."""

from ipaddress import ip_network

import pytest

from tenantry.domain.errors import ConfigurationError
from tenantry.settings import load_settings


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("", ()),
        ("false", ()),
        ("10.0.0.0/8, 127.0.0.1", ("10.0.0.0/8", "127.0.0.1/32")),
        ("fd00::/8", ("fd00::/8",)),
        ("true", ("0.0.0.0/0", "::/0")),
    ],
)
def test_private_addresses_are_allowed_by_network(text: str, allowed: tuple[str, ...]) -> None:
    settings = load_settings({"TENANTRY_ALLOW_PRIVATE_ADDRESSES": text})
    assert settings.network.allowed == tuple(ip_network(network) for network in allowed)


@pytest.mark.parametrize("text", ["10.0.0.0/40", "intranet", "10.0.0.0/8,,"])
def test_what_is_no_network_is_told(text: str) -> None:
    with pytest.raises(ConfigurationError, match="TENANTRY_ALLOW_PRIVATE_ADDRESSES"):
        load_settings({"TENANTRY_ALLOW_PRIVATE_ADDRESSES": text})
