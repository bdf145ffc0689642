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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TENANTRY_METRICS_TOKEN", "short"),
        ("TENANTRY_METRICS_TOKEN", "has spaces in its middle"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
    ],
)
def test_what_cannot_be_used_for_telemetry_is_told_without_its_value(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name) as told:
        load_settings({name: value})
    assert value not in str(told.value)


def test_secrets_are_not_in_the_text_of_settings() -> None:
    settings = load_settings({"TENANTRY_METRICS_TOKEN": "0123456789abcdef"})
    assert "0123456789abcdef" not in repr(settings)


MAIL_FROM = "Acme <bookings@acme.example>"


@pytest.mark.parametrize(
    ("url", "port", "tls", "password"),
    [
        ("smtp://mail.acme.example", 587, "starttls", None),
        ("smtps://bot:p%40ss@mail.acme.example", 465, "tls", "p@ss"),
        ("smtp://mail.acme.example:2525?tls=off", 2525, "off", None),
    ],
)
def test_a_mail_server_is_a_url(url: str, port: int, tls: str, password: str | None) -> None:
    mail = load_settings({"TENANTRY_SMTP_URL": url, "TENANTRY_MAIL_FROM": MAIL_FROM}).mail
    assert mail is not None
    assert (mail.host, mail.port, mail.tls, mail.password) == ("mail.acme.example", port, tls, password)
    assert (mail.sender_name, mail.sender_address) == ("Acme", "bookings@acme.example")
    assert "p@ss" not in repr(mail)


@pytest.mark.parametrize(
    ("url", "sender"),
    [
        ("smtp://mail.acme.example", ""),
        ("", MAIL_FROM),
        ("mail.acme.example", MAIL_FROM),
        ("smtp://:secret@", MAIL_FROM),
        ("smtp://a:secret@mail.acme.example:port", MAIL_FROM),
        ("smtp://a:secret@mail.acme.example?tls=off", MAIL_FROM),
        ("smtp://a:secret@mail.acme.example/inbox", MAIL_FROM),
        ("smtp://mail.acme.example", "Acme"),
        ("smtp://mail.acme.example", "a@b.example\nBcc: eve@evil.example"),
    ],
)
def test_what_is_no_mail_server_or_sender_is_told_without_the_password(url: str, sender: str) -> None:
    with pytest.raises(ConfigurationError, match=r"TENANTRY_(SMTP_URL|MAIL_FROM)") as told:
        load_settings({"TENANTRY_SMTP_URL": url, "TENANTRY_MAIL_FROM": sender})
    assert "secret" not in str(told.value)
