"""Which URL `tenantry calendar feed create` prints."""

from pathlib import Path

import pytest

from tenantry.cli.agents.session import Where
from tenantry.cli.calendar import feed_url

MADE = "http://127.0.0.1:54321/calendar/feeds/secret.ics"


def test_a_feed_of_the_local_installation_is_where_that_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENANTRY_HOST", "10.0.0.5")
    monkeypatch.setenv("TENANTRY_PORT", "8081")
    monkeypatch.delenv("TENANTRY_PUBLIC_URL", raising=False)
    assert feed_url(Where(None, None, tmp_path), MADE) == "http://10.0.0.5:8081/calendar/feeds/secret.ics"
    assert feed_url(Where(None, "http://127.0.0.1:54321", None), MADE) == MADE


def test_a_public_url_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENANTRY_PUBLIC_URL", "https://agents.example")
    made = "https://agents.example/calendar/feeds/secret.ics"
    assert feed_url(Where(None, None, tmp_path), made) == made
