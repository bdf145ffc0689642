"""What a worker is told by its environment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tenantry.domain.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """One worker. `livekit_url` (ws:// or wss://) is where calls are, `server_url` the Tenantry server; `only` are the
    purposes and tags of the calls it takes, all where that is empty. It keeps `idle` call processes warm, takes no
    call beyond `max_calls` or while more than `load` of the machine's cores is busy (1: whatever that is), and ends a
    call process above `memory_limit_mb` (0: never). When it ends it waits `drain_s` seconds for its calls. Its health
    is told at `port` of every interface, or with 0 at any free one of loopback."""

    livekit_url: str
    api_key: str
    api_secret: str = field(repr=False)
    server_url: str
    worker_key: str = field(repr=False)
    only: frozenset[str]
    idle: int
    max_calls: int
    load: float
    memory_warn_mb: int
    memory_limit_mb: int
    drain_s: int
    port: int

    @property
    def host(self) -> str:
        """The address its health is told at."""
        return "0.0.0.0" if self.port else "127.0.0.1"  # noqa: S104


def worker_options(
    environment: Mapping[str, str], worker_key: str, only: frozenset[str] = frozenset()
) -> WorkerOptions:
    """Options from `LIVEKIT_URL`, `LIVEKIT_API_KEY`, `LIVEKIT_API_SECRET`, `TENANTRY_URL` ("http://127.0.0.1:8080"
    unless set), `TENANTRY_WORKER_IDLE` (2), `TENANTRY_WORKER_MAX_CALLS` (20), `TENANTRY_WORKER_LOAD` (1),
    `TENANTRY_WORKER_MEMORY_WARN_MB` (150), `TENANTRY_WORKER_MEMORY_LIMIT_MB` (0), `TENANTRY_WORKER_DRAIN_S` (1800) and
    `TENANTRY_WORKER_PORT` (0). `worker_key` is what the server knows workers by. Raises ConfigurationError."""
    missing = [name for name in ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET") if not environment.get(name)]
    if missing:
        raise ConfigurationError(
            f"A worker meets callers at a LiveKit server: set {', '.join(missing)}. Without one, `tenantry up` serves "
            "calls by itself and needs no worker."
        )
    if not re.match(r"wss?://[^/]", environment["LIVEKIT_URL"]):
        raise ConfigurationError("LIVEKIT_URL is no WebSocket URL; give one such as wss://livekit.example.com.")
    server_url = (environment.get("TENANTRY_URL") or "http://127.0.0.1:8080").rstrip("/")
    if not re.match(r"https?://[^/]", server_url):
        raise ConfigurationError("TENANTRY_URL is no URL; give one such as https://agents.example.com.")
    return WorkerOptions(
        livekit_url=environment["LIVEKIT_URL"].rstrip("/"),
        api_key=environment["LIVEKIT_API_KEY"],
        api_secret=environment["LIVEKIT_API_SECRET"],
        server_url=server_url,
        worker_key=worker_key,
        only=only,
        idle=_number(environment, "IDLE", 2, 0, 100),
        max_calls=_number(environment, "MAX_CALLS", 20, 1, 1000),
        load=_share(environment, "LOAD", 1),
        memory_warn_mb=_number(environment, "MEMORY_WARN_MB", 150, 0, 1_000_000),
        memory_limit_mb=_number(environment, "MEMORY_LIMIT_MB", 0, 0, 1_000_000),
        drain_s=_number(environment, "DRAIN_S", 1800, 0, 86_400),
        port=_number(environment, "PORT", 0, 0, 65_535),
    )


def _number(environment: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = environment.get(f"TENANTRY_WORKER_{name}") or str(default)
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise ConfigurationError(f"TENANTRY_WORKER_{name} is {text!r}; give a whole number from {least} to {most}.")
    return int(text)


def _share(environment: Mapping[str, str], name: str, default: float) -> float:
    text = environment.get(f"TENANTRY_WORKER_{name}") or str(default)
    if not re.fullmatch(r"\d?(\.\d+)?", text) or not 0 < float(text) <= 1:
        raise ConfigurationError(f"TENANTRY_WORKER_{name} is {text!r}; give a share such as 0.9, at most 1.")
    return float(text)
