"""What an MCP server is asked and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class McpRequest:
    """A call of `tool`; `meta` is its `_meta`, `headers` go with every HTTP request and are for no log."""

    url: str
    tool: str
    arguments: Mapping[str, Any]
    meta: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class McpAnswer:
    """The structured content or, where there is none, the text of an answer; `known` is False when the server has no
    such tool."""

    failed: bool
    text: str
    structured: Mapping[str, Any] | None = None
    known: bool = True
