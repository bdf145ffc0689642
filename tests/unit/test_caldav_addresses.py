"""Where a member may sign in with a password: never in clear over the internet."""

import pytest

from tenantry.domain.connection import validate_server
from tenantry.domain.errors import InvalidInput


@pytest.mark.parametrize(
    "url",
    [
        "https://dav.example.org/",
        "http://127.0.0.1:5232/",
        "http://[::1]/",
        "http://10.1.2.3/",
        "http://radicale:5232/",
    ],
)
def test_https_and_what_is_nearby_are_taken(url: str) -> None:
    validate_server(url, "mark", "secret")


@pytest.mark.parametrize("url", ["http://dav.example.org/", "http://8.8.8.8/", "http://[2606:4700::1111]/", "ftp://x/"])
def test_a_password_is_not_sent_in_clear_over_the_internet(url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        validate_server(url, "mark", "secret")
    assert [fault.field for fault in refused.value.errors] == ["url"]
    assert "secret" not in str(refused.value)
