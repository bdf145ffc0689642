"""What a worker is told by its environment."""

from typing import Any

import pytest

from tenantry.channels.livekit_voice.worker.options import worker_options
from tenantry.domain.errors import ConfigurationError

LIVEKIT = {"LIVEKIT_URL": "ws://127.0.0.1:7880/", "LIVEKIT_API_KEY": "key", "LIVEKIT_API_SECRET": "secret"}


def test_what_is_not_said_has_a_default() -> None:
    options = worker_options(LIVEKIT, "worker's")
    assert (options.livekit_url, options.server_url) == ("ws://127.0.0.1:7880", "http://127.0.0.1:8080")
    assert (options.idle, options.max_calls, options.load, options.drain_s) == (2, 20, 1.0, 1800)
    assert (options.host, options.port) == ("127.0.0.1", 0)


def test_all_of_it_can_be_said() -> None:
    said = {
        "TENANTRY_URL": "https://agents.example.com/",
        "TENANTRY_WORKER_IDLE": "4",
        "TENANTRY_WORKER_MAX_CALLS": "8",
        "TENANTRY_WORKER_LOAD": "0.75",
        "TENANTRY_WORKER_MEMORY_WARN_MB": "60",
        "TENANTRY_WORKER_MEMORY_LIMIT_MB": "90",
        "TENANTRY_WORKER_DRAIN_S": "5",
        "TENANTRY_WORKER_PORT": "8081",
    }
    options = worker_options({**LIVEKIT, **said}, "worker's", frozenset({"sales"}))
    assert options.server_url == "https://agents.example.com"
    assert (options.idle, options.max_calls, options.load) == (4, 8, 0.75)
    assert (options.memory_warn_mb, options.memory_limit_mb, options.drain_s) == (60, 90, 5)
    assert (options.host, options.port, options.only) == ("0.0.0.0", 8081, {"sales"})  # noqa: S104


def test_secrets_are_not_shown() -> None:
    shown = repr(worker_options(LIVEKIT, "worker's"))
    assert "secret=" not in shown
    assert "worker's" not in shown


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"LIVEKIT_API_SECRET": ""}, "set LIVEKIT_API_SECRET"),
        ({"LIVEKIT_URL": "https://livekit.example.com"}, "LIVEKIT_URL"),
        ({"TENANTRY_URL": "agents.example.com"}, "TENANTRY_URL"),
        ({"TENANTRY_WORKER_IDLE": "many"}, "TENANTRY_WORKER_IDLE"),
        ({"TENANTRY_WORKER_MAX_CALLS": "0"}, "from 1 to 1000"),
        ({"TENANTRY_WORKER_LOAD": "1.5"}, "at most 1"),
        ({"TENANTRY_WORKER_LOAD": "0"}, "at most 1"),
        ({"TENANTRY_WORKER_LOAD": "."}, "at most 1"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        worker_options({**LIVEKIT, **wrong}, "worker's")
