"""What a call to a tenant's service may hold."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tenantry.domain.agent import (
    AgentDefinition,
    AnswerField,
    Function,
    Header,
    HttpCall,
    McpCall,
    Variable,
    VariableType,
)
from tenantry.domain.agent_validation import validate_definition
from tenantry.domain.errors import FieldError, InvalidInput

URL = "https://api.example.com/valuation"


def faults(
    call: HttpCall, name: str = "get_valuation", variables: Sequence[str] = ("email", "note")
) -> list[FieldError]:
    """What is told about an agent with the call."""
    agent = AgentDefinition(
        name="A",
        variables=(
            Variable("email", VariableType.EMAIL),
            Variable("note", VariableType.TEXT, required=False),
            Variable("other", VariableType.TEXT),
            Variable("tenant", VariableType.TEXT),
        ),
        functions=(Function(name, variables=tuple(variables), http=call),),
    )
    try:
        validate_definition(agent, ())
    except InvalidInput as error:
        return list(error.errors)
    return []


@pytest.mark.parametrize(
    "url",
    [
        URL, "http://localhost:8080", "https://[2606:4700::1]:8443/x", "HTTPS://API.example.com/",
        f"{URL}/{{email}}/x?note={{note}}&e={{email}}", f"{URL}?note=%7Bx%7D", "http://valuation_service/v",
    ],
)  # fmt: skip
def test_good_urls(url: str) -> None:
    assert faults(HttpCall(url)) == []


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("api.example.com/valuation", "absolute"),
        ("/valuation", "absolute"),
        ("ftp://example.com/", "absolute"),
        ("file:///etc/passwd", "absolute"),
        ("https:///x", "absolute"),
        ("https://[::1/x", "is no URL"),
        ("https://example.com:99999/", "is no URL"),
        ("https://example.com:0/", "names no host"),
        ("https://me:pw@example.com/", "header with `secret`"),
        ("https://example.com@evil.example/", "header with `secret`"),
        (f"{URL}#part", "fragment"),
        (f"{URL}#", "fragment"),
        ("https://{email}.example.com/", "path and query only"),
        ("https://example.com:{email}/", ""),
        ("{email}://example.com/", "absolute"),
        (f"{URL}/{{other}}", "no variable of this function"),
        (f"{URL}/{{nobody}}", "no variable of this function"),
        (f"{URL}?q={{user_id}}", "no variable of this function"),
        (f"{URL}/{{note}}", "only required"),
        (f"{URL}/{{email", "brace"),
        (f"{URL}/{{}}", "brace"),
        (f"{URL}/{{Email}}", "brace"),
        (f"{URL}/{{{{email}}}}", "brace"),
        (f"{URL}/../x", "segment"),
        (f"{URL}/%2e%2E/x", "segment"),
        (f"{URL}/a b", "percent-encode"),
        (f"{URL}\r\nX-Evil: 1", "percent-encode"),
        (f"{URL}\\x", "percent-encode"),
        ("https://bücher.example/", "percent-encode"),
    ],
)
def test_bad_urls(url: str, says: str) -> None:
    told = faults(HttpCall(url))
    assert [error.field for error in told] == ["functions.0.http.url"] * len(told)
    assert any(says in error.message for error in told)


@pytest.mark.parametrize(
    ("header", "field", "says"),
    [
        (Header("Authorization", "Bearer x"), "name", "sealed"),
        (Header("cookie", "a=b"), "name", "sealed"),
        (Header("X-API-Key", "k"), "name", "sealed"),
        (Header("Host", "evil"), "name", "set for every call"),
        (Header("Content-Length", "0"), "name", "set for every call"),
        (Header("idempotency-key", "1"), "name", "set for every call"),
        (Header("X Desk", "1"), "name", "no header name"),
        (Header("X-Desk:", "1"), "name", "no header name"),
        (Header("X-Desk\r\nX-Evil", "1"), "name", "no header name"),
        (Header("x-team", "1"), "name", "twice"),
        (Header("X-Desk", "1\r\nX-Evil: 1"), "value", "line break"),
        (Header("X-Desk", "1\n"), "value", "line break"),
        (Header("X-Desk", "\x00"), "value", "line break"),
        (Header("X-Desk", "é"), "value", "line break"),
        (Header("X-Desk", "a {secret}"), "value", "names no `secret`"),
        (Header("Authorization", "Bearer x", secret="key"), "value", "once"),
        (Header("Authorization", "{secret} {secret}", secret="key"), "value", "once"),
        (Header("Authorization", "{secret}\r\nX: 1", secret="key"), "value", "line break"),
        (Header("Authorization", secret="my key"), "secret", "no name of a secret"),
        (Header("Host", secret="key"), "name", "set for every call"),
    ],
)
def test_bad_headers(header: Header, field: str, says: str) -> None:
    (told,) = faults(HttpCall(URL, headers=(Header("X-Team", "sales"), header)))
    assert told.field == f"functions.0.http.headers.1.{field}"
    assert says in told.message


def test_secrets_are_named() -> None:
    named = (Header("Authorization", "Bearer {secret}", secret="crm-key"), Header("X-API-Key", secret="crm.key_2"))
    assert faults(HttpCall(URL, headers=named)) == []
    assert mcp_faults(McpCall(URL, headers=named)) == []


def mcp_faults(call: McpCall, name: str = "get_valuation", **more: HttpCall) -> list[tuple[str, str]]:
    """Fields and messages of what is told about an agent with the call."""
    agent = AgentDefinition(
        name="A",
        variables=(Variable("email", VariableType.EMAIL), Variable("tenant", VariableType.TEXT)),
        functions=(Function(name, variables=("email", "tenant"), mcp=call, **more),),
    )
    try:
        validate_definition(agent, ())
    except InvalidInput as error:
        return [(told.field.removeprefix("functions.0.mcp."), told.message) for told in error.errors]
    return []


@pytest.mark.parametrize(
    ("call", "field", "says"),
    [
        (McpCall("ftp://x"), "url", "absolute"),
        (McpCall(f"{URL}/{{email}}"), "url", "the same for every call"),
        (McpCall("https://me:pw@example.com/mcp"), "url", "header with `secret`"),
        (McpCall(URL, tool="a b"), "tool", "no name of a tool"),
        (McpCall(URL, headers=(Header("Authorization", "Bearer x"),)), "headers.0.name", "sealed"),
        (McpCall(URL, headers=(Header("Mcp-Session-Id", "1"),)), "headers.0.name", "set by the protocol"),
        (McpCall(URL, headers=(Header("Accept", "text/html"),)), "headers.0.name", "set by the protocol"),
    ],
)
def test_bad_mcp_calls(call: McpCall, field: str, says: str) -> None:
    ((told, message),) = mcp_faults(call)
    assert told == field
    assert says in message


def test_a_function_makes_one_call() -> None:
    told = dict(mcp_faults(McpCall(URL), http=HttpCall(URL)))
    assert "beside http" in told["functions.0.mcp"]


def test_what_is_built_in_calls_no_mcp_server() -> None:
    assert [field for field, _ in mcp_faults(McpCall(URL), "set_appointment")] == ["functions.0.mcp"]
    assert mcp_faults(McpCall(URL, tool="crm/get.valuation-2")) == []


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        (AnswerField("Estimate", "a"), "name"),
        (AnswerField("status", "a"), "name"),
        (AnswerField("known", "a"), "name"),
        (AnswerField("estimate", "a..b"), "path"),
        (AnswerField("estimate", ".a"), "path"),
        (AnswerField("estimate", "a."), "path"),
    ],
)
def test_bad_answers(answer: AnswerField, field: str) -> None:
    (told,) = faults(HttpCall(URL, answer=(AnswerField("known", "data.0.known"), answer)))
    assert told.field == f"functions.0.http.answer.1.{field}"


def test_what_is_built_in_calls_no_service() -> None:
    assert [error.field for error in faults(HttpCall(URL), "set_appointment")] == ["functions.0.http"]
    assert faults(HttpCall(URL), "order_photos") == []


def test_what_every_call_tells_is_no_variable() -> None:
    assert [error.field for error in faults(HttpCall(URL), variables=("email", "tenant"))] == [
        "functions.0.variables.1"
    ]


def test_all_faults_are_told_at_once() -> None:
    call = replace(HttpCall("ftp://x"), headers=(Header("Cookie", "\n"),), answer=(AnswerField("X", ""),))
    assert [error.field.removeprefix("functions.0.http.") for error in faults(call)] == [
        "url", "headers.0.name", "headers.0.value", "answer.0.name", "answer.0.path",
    ]  # fmt: skip
