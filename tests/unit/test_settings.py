"""Settings are read from the environment, and what is no setting is told."""

from ipaddress import ip_network

import pytest

from tenantry.domain.errors import ConfigurationError
from tenantry.domain.limits import RateLimits
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


def test_rate_limits_have_defaults_and_may_be_taken_away() -> None:
    assert load_settings({}).limits.rates == RateLimits(60, 600, 6000)
    changed = {"TENANTRY_LIMIT_CONTACT": "5/minute", "TENANTRY_LIMIT_MEMBER": "", "TENANTRY_LIMIT_TENANT": " "}
    assert load_settings(changed).limits.rates == RateLimits(5, None, None)


def test_a_rate_that_is_none_is_told() -> None:
    with pytest.raises(ConfigurationError, match="TENANTRY_LIMIT_MEMBER"):
        load_settings({"TENANTRY_LIMIT_MEMBER": "plenty"})


def test_where_redis_is_is_not_shown() -> None:
    settings = load_settings({"REDIS_URL": "redis://:secret@127.0.0.1/0"})
    assert settings.redis.url == "redis://:secret@127.0.0.1/0"
    assert "secret" not in repr(settings)
