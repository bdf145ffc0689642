"""URLs with `{variable}` in their path and query."""

import re
from collections.abc import Callable, Mapping
from urllib.parse import quote, unquote, urlsplit

_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_DOTS = frozenset({".", ".."})


def placeholders(text: str) -> list[str]:
    """The names in braces, in order."""
    return _PLACEHOLDER.findall(text)


def without_placeholders(text: str) -> str:
    """The text that is left."""
    return _PLACEHOLDER.sub("", text)


def climbs(path: str) -> bool:
    """Whether a segment of the path is "." or "..", which clients and servers take for a way to another path."""
    return any(unquote(segment) in _DOTS for segment in path.split("/"))


def fill(url: str, values: Mapping[str, str]) -> str:
    """The URL with each value percent-encoded whole (RFC 3986, 2.1), so that it stays inside its segment or parameter.

    In the query a value that is missing is left empty. Raises ValueError when the path would be another one: by a
    value that is missing or empty, or by one that makes a segment "." or "..".
    """
    path, mark, query = url.partition("?")
    for name in placeholders(path):
        if not values.get(name):
            raise ValueError(f"{name} is empty, and the address cannot do without it")
    filled = _PLACEHOLDER.sub(_encoded(values), path)
    if climbs(urlsplit(filled).path):
        raise ValueError(f"{' and '.join(placeholders(path))} cannot be written into the address")
    return filled + mark + _PLACEHOLDER.sub(_encoded(values), query)


def _encoded(values: Mapping[str, str]) -> Callable[[re.Match[str]], str]:
    return lambda match: quote(values.get(match[1], ""), safe="")
