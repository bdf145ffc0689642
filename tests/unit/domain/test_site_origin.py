"""Origins of sites, as browsers send them."""

import pytest

from tenantry.domain.site_origin import parse_origin


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://www.example.com", "https://www.example.com"),
        ("HTTPS://Www.Example.com", "https://www.example.com"),
        ("https://example.com:443", "https://example.com"),
        ("https://example.com:8443", "https://example.com:8443"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://shop.localhost", "http://shop.localhost"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://192.0.2.1", "https://192.0.2.1"),
    ],
)
def test_an_origin_is_read_as_a_browser_sends_it(text: str, origin: str) -> None:
    assert parse_origin(text) == origin


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "no origin"),
        ("null", "no origin"),
        ("*", "no origin"),
        ("https://*.example.com", "no origin"),
        ("example.com", "no origin"),
        ("ftp://example.com", "no origin"),
        ("https://", "no origin"),
        ("https://bücher.example", "no origin"),
        ("https://a b.example", "no origin"),
        ("https://example.com:99999", "no origin"),
        ("https://example..com", "no origin"),
        ("https://[::1", "no origin"),
        ("https://example.com/", "more than"),
        ("https://example.com/path", "more than"),
        ("https://example.com?x", "more than"),
        ("https://example.com#x", "more than"),
        ("https://user@example.com", "more than"),
        ("https://example.com:", "more than"),
        ("https://example.com:0443", "more than"),
        ("http://example.com", "not https"),
        ("http://192.168.0.2", "not https"),
        ("http://localhost.example.com", "not https"),
    ],
)
def test_what_is_no_origin_is_told(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        parse_origin(text)
