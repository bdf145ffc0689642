"""What a call to a tenant's service or MCP server must hold to beyond its types."""

import re
from collections.abc import Collection, Iterator
from urllib.parse import SplitResult, urlsplit

from tenantry.domain.agent import AnswerField, Header, HttpCall, McpCall, Variable
from tenantry.domain.url_template import climbs, placeholders, without_placeholders

# RFC 9110, 5.6.2.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")
# RFC 3986, 2: what may stand in a URL; braces are ours.
_URL = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%{}-]+")
_PLACE = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_PATH = re.compile(r"[^.\x00-\x1f]+(\.[^.\x00-\x1f]+)*")

_SECRET = frozenset(
    {"api-key", "authorization", "cookie", "proxy-authorization", "x-access-token", "x-api-key", "x-auth-token"}
)
_SECRET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PLACEHOLDER = "{secret}"
_OURS = frozenset(
    {
        "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect", "host",
        "idempotency-key", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
# Set by the protocol of MCP; its other headers all begin with "mcp-".
_OF_MCP = frozenset({"accept", "last-event-id"})
_MCP_TOOL = re.compile(r"[A-Za-z0-9_./-]*")
_TAKEN = frozenset({"status", "reason", "user_id"})

Fault = tuple[str, str]


def http_call_faults(call: HttpCall, variables: Collection[Variable]) -> Iterator[Fault]:
    """Every fault as the field of the call and what is wrong; `variables` are those that its function is handed."""
    for message in _url_faults(call.url, variables):
        yield "url", message
    yield from _header_faults(call.headers)
    yield from _answer_faults(call.answer)


def mcp_call_faults(call: McpCall) -> Iterator[Fault]:
    """Every fault as the field of the call and what is wrong."""
    if placeholders(call.url):
        yield "url", "holds a variable; the address of an MCP server is the same for every call"
    else:
        for message in _url_faults(call.url, ()):
            yield "url", message
    if not _MCP_TOOL.fullmatch(call.tool):
        yield "tool", f"{call.tool!r} is no name of a tool; letters, digits and _ . / - are possible"
    yield from _header_faults(call.headers)
    for index, header in enumerate(call.headers):
        name = header.name.lower()
        if name in _OF_MCP or name.startswith("mcp-"):
            yield f"headers.{index}.name", f"{header.name} is set by the protocol; leave it out"


def _url_faults(url: str, variables: Collection[Variable]) -> Iterator[str]:
    if not _URL.fullmatch(url):
        yield "holds a character that no URL may hold; percent-encode it"
        return
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        yield "is no URL, such as https://api.example.com/valuation"
        return
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        yield "is no absolute http or https URL, such as https://api.example.com/valuation"
        return
    if "@" in parts.netloc:
        yield "holds a user name or password; send it as a header with `secret`"
    elif not _PLACE.fullmatch(parts.netloc) or port == 0:
        yield "names no host, or one that depends on a variable; variables may stand in path and query only"
    if "#" in url:
        yield "holds a fragment (#), which is never sent; leave it out"
    yield from _placeholder_faults(parts, {variable.name: variable.required for variable in variables})


def _placeholder_faults(parts: SplitResult, required: dict[str, bool]) -> Iterator[str]:
    rest = without_placeholders(parts.path + parts.query)
    if "{" in rest or "}" in rest:
        yield "holds a brace that is no {variable}; percent-encode it as %7B or %7D"
    if climbs(parts.path):
        yield 'has a segment "." or ".."; write the path that is meant'
    in_path = placeholders(parts.path)
    for name in dict.fromkeys([*in_path, *placeholders(parts.query)]):
        if name not in required:
            yield f"holds {{{name}}}, which is no variable of this function"
        elif name in in_path and not required[name]:
            yield f"holds {{{name}}} in its path, which may be missing; only required variables can stand there"


def _header_faults(headers: Collection[Header]) -> Iterator[Fault]:
    seen: set[str] = set()
    for index, header in enumerate(headers):
        at, name = f"headers.{index}", header.name.lower()
        if not _TOKEN.fullmatch(header.name):
            yield f"{at}.name", f"{header.name!r} is no header name"
        elif name in _SECRET and header.secret is None:
            yield (
                f"{at}.name",
                f"{header.name} would hold a secret in the open; store it sealed and name it as `secret`",
            )
        elif name in _OURS:
            yield f"{at}.name", f"{header.name} is set for every call; leave it out"
        elif name in seen:
            yield f"{at}.name", f"{header.name} is there twice"
        seen.add(name)
        if not _HEADER_VALUE.fullmatch(header.value):
            yield f"{at}.value", "holds a line break or another character that no header may hold"
        yield from _secret_faults(at, header)


def _secret_faults(at: str, header: Header) -> Iterator[Fault]:
    places = header.value.count(_PLACEHOLDER)
    if header.secret is None:
        if places:
            yield f"{at}.value", "holds {secret} but the header names no `secret`"
        return
    if not _SECRET_NAME.fullmatch(header.secret):
        yield f"{at}.secret", f"{header.secret!r} is no name of a secret; letters, digits and . _ - are possible"
    if header.value and places != 1:
        yield f"{at}.value", "must hold {secret} once, where the secret is put in, or be empty"


def _answer_faults(answer: Collection[AnswerField]) -> Iterator[Fault]:
    seen: set[str] = set()
    for index, field in enumerate(answer):
        at = f"answer.{index}"
        if not _NAME.fullmatch(field.name):
            yield f"{at}.name", f"{field.name!r} is not of lower-case letters, digits and underscores"
        elif field.name in _TAKEN:
            yield f"{at}.name", f"{field.name!r} is what every tool answers; choose another"
        elif field.name in seen:
            yield f"{at}.name", f"{field.name!r} is there twice"
        seen.add(field.name)
        if not _PATH.fullmatch(field.path):
            yield f"{at}.path", f"{field.path!r} is no path of names with dots between, such as data.estimate"
