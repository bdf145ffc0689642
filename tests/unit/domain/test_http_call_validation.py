"""What a call to a tenant's service may hold."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tenantry.domain.agent import AgentDefinition, AnswerField, Function, Header, HttpCall, Variable, VariableType
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
        ("https://me:pw@example.com/", "secrets come with the vault"),
        ("https://example.com@evil.example/", "secrets come with the vault"),
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
        (Header("Authorization", "Bearer x"), "name", "vault"),
        (Header("cookie", "a=b"), "name", "vault"),
        (Header("X-API-Key", "k"), "name", "vault"),
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
    ],
)
def test_bad_headers(header: Header, field: str, says: str) -> None:
    (told,) = faults(HttpCall(URL, headers=(Header("X-Team", "sales"), header)))
    assert told.field == f"functions.0.http.headers.1.{field}"
    assert says in told.message


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
