"""A function that calls a tool of the tenant's own MCP server, against a real one on loopback."""

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import Any

import pytest

from tenantry.domain.agent import AgentDefinition, Function, Header, McpCall, Variable, VariableType
from tenantry.domain.agent_validation import validate_definition
from tenantry.domain.tools import ToolCallRequest
from tenantry.outbound.addresses import NetworkPolicy
from tenantry.outbound.client import OutboundHttp
from tenantry.storage.tenancy import Database
from tenantry.tools.base import ToolContext
from tenantry.tools.registry import call_tool, tool_specs
from tests.conftest import TenantForTest
from tests.integration import valuation_service
from tests.integration.booking_parties import Party, make_party
from tests.integration.mcp_service import Service, serving

LOOPBACK = NetworkPolicy((ip_network("127.0.0.1/32"),))
SECRET = "sk-live-0123456789"


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """The tenant's server."""
    async with serving() as running:
        yield running


@pytest.fixture
async def outbound() -> AsyncIterator[OutboundHttp]:
    """A client that may go to the server."""
    client = OutboundHttp(LOOPBACK)
    yield client
    await client.close()


@pytest.fixture
async def party(database: Database, tenant: TenantForTest) -> Party:
    """A contact with mark's agent."""
    return await make_party(database, tenant.id, tenant.members["mark"])


@dataclass
class Vault:
    """The sealed secrets of a conversation's owner."""

    known: dict[str, str]

    async def reveal(self, name: str) -> str | None:
        return self.known.get(name)


def context_for(party: Party, outbound: OutboundHttp, call: McpCall, **more: Any) -> ToolContext:
    """A turn of the party whose agent has the call as get_valuation."""
    definition = AgentDefinition(
        name="Seller",
        variables=(Variable("property_address", VariableType.ADDRESS),),
        functions=(Function("get_valuation", variables=("property_address",), mcp=call),),
    )
    validate_definition(definition, ())
    agent = replace(party.agent, definition=definition)
    return replace(party.context(), agent=agent, outbound=outbound, **more)


async def ask(context: ToolContext, **more: Any) -> dict[str, Any]:
    """What the model gets."""
    arguments = {"property_address": "12 Elm Street", **more}
    return dict((await call_tool(context, ToolCallRequest("1", "get_valuation", arguments))).output)


@pytest.mark.parametrize(
    ("json_response", "legacy", "posts"), [(False, False, 2), (True, False, 2), (False, True, 4), (True, True, 4)]
)
async def test_the_server_is_told_who_and_what(
    party: Party, outbound: OutboundHttp, json_response: bool, legacy: bool, posts: int
) -> None:
    async with serving(json_response=json_response, legacy=legacy) as service:
        context = context_for(party, outbound, McpCall(service.url, headers=(Header("X-Desk", "sales"),)))
        output = await ask(context, user_id=context.user_id)
        assert output == {"status": "ok", "estimate": 512000, "service_status": "final"}
        (called,) = service.called
        assert called.arguments == {"property_address": "12 Elm Street"}
        assert called.headers["x-desk"] == "sales"
        assert called.meta == {
            "user_id": str(party.agent.owner_member_id),
            "tenant": str(party.tenant_id),
            "conversation_id": str(party.conversation_id),
            "idempotency_key": f"{context.turn_id}:{context.step}",
        }
        assert service.requests.count("POST") == posts


async def test_a_model_is_shown_the_function(party: Party, outbound: OutboundHttp) -> None:
    (spec,) = tool_specs(context_for(party, outbound, McpCall("https://mcp.example.com/mcp")).agent)
    assert spec.name == "get_valuation"
    assert spec.parameters["required"] == ["property_address"]
    assert set(spec.parameters["properties"]) == {"property_address", "user_id"}


async def test_text_is_told_where_nothing_is_structured(party: Party, outbound: OutboundHttp, service: Service) -> None:
    output = await ask(context_for(party, outbound, McpCall(service.url, "say")))
    assert output == {"status": "ok", "answer": "It is worth\n512000."}


async def test_a_forged_owner_reaches_no_server(
    party: Party, outbound: OutboundHttp, service: Service, tenant: TenantForTest
) -> None:
    context = context_for(party, outbound, McpCall(service.url))
    assert (await ask(context, user_id=str(tenant.members["jon"])))["status"] == "refused"
    assert (await ask(context, tenant="other"))["status"] == "invalid"
    assert service.requests == []


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    ("tool", "status", "reason"),
    [
        ("fail", "failed", "tool_error"),
        ("nobody", "failed", "unknown_tool"),
        ("large", "unknown", "too_large"),
        ("hang", "unknown", "outcome_unknown"),
    ],
)
async def test_what_fails_is_told(
    party: Party, outbound: OutboundHttp, tool: str, status: str, reason: str, legacy: bool
) -> None:
    async with serving(legacy=legacy) as service:
        output = await ask(context_for(party, outbound, McpCall(service.url, tool, timeout_s=1)))
        assert (output["status"], output["reason"]) == (status, reason)
        assert output["message"]
        assert len(service.called) == (tool != "nobody")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("valuation", "not_mcp"),
        ("text:hello", "not_mcp"),
        ("status:404", "not_mcp"),
        ("status:401", "http_401"),
        ("status:503", "http_503"),
        ("large", "not_mcp"),
        ("bomb", "bad_answer"),
        ("redirect:307?to=http://127.0.0.1:1/", "http_307"),
        ("drop", "refused"),
        ("hang", "timeout"),
    ],
)
async def test_what_is_no_mcp_server_is_told(party: Party, outbound: OutboundHttp, path: str, reason: str) -> None:
    async with valuation_service.serving() as other:
        output = await ask(context_for(party, outbound, McpCall(f"{other.url}/{path}", timeout_s=1)))
        # No tool can have been called by then.
        assert (output["status"], output["reason"]) == ("failed", reason)
        assert all("tools/call" not in str(received.body) for received in other.received)


async def test_nobody_listens(party: Party, outbound: OutboundHttp) -> None:
    async with serving() as gone:
        url = gone.url
    output = await ask(context_for(party, outbound, McpCall(url)))
    assert (output["status"], output["reason"]) == ("failed", "refused")


async def test_a_private_address_is_refused(party: Party, service: Service) -> None:
    client = OutboundHttp(NetworkPolicy())
    output = await ask(context_for(party, client, McpCall(service.url)))
    await client.close()
    assert (output["status"], output["reason"]) == ("failed", "address_not_allowed")
    assert service.requests == []


async def test_secrets_are_sent_and_do_not_come_back(party: Party, outbound: OutboundHttp, service: Service) -> None:
    sealed = (Header("Authorization", "Bearer {secret}", "crm"),)
    vault = Vault({"crm": SECRET})
    output = await ask(context_for(party, outbound, McpCall(service.url, "echo", sealed), secrets=vault))
    assert output == {"status": "ok", "you_sent": "Bearer [secret]"}
    failed = await ask(context_for(party, outbound, McpCall(service.url, "fail", sealed), secrets=vault))
    assert "no such street, said Bearer [secret]" in failed["message"]
    assert [called.headers["authorization"] for called in service.called] == [f"Bearer {SECRET}"] * 2


class Heard(logging.Handler):
    """All that reaches the log of the process."""

    def __init__(self) -> None:
        super().__init__(0)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.mark.parametrize("path", ["text:hello", "redirect:307?to=http://127.0.0.1:1/", "status:503"])
async def test_what_the_sdk_logs_reaches_no_log(party: Party, outbound: OutboundHttp, path: str) -> None:
    heard, root = Heard(), logging.getLogger()
    root.addHandler(heard)
    level = root.level
    root.setLevel(logging.DEBUG)
    try:
        async with valuation_service.serving() as other:
            assert (await ask(context_for(party, outbound, McpCall(f"{other.url}/{path}"))))["status"] == "failed"
    finally:
        root.removeHandler(heard)
        root.setLevel(level)
    assert {record.name.split(".")[0] for record in heard.records} <= {"aiohttp", "asyncio"}


async def test_without_its_secret_nothing_is_sent(party: Party, outbound: OutboundHttp, service: Service) -> None:
    call = McpCall(service.url, headers=(Header("Authorization", secret="crm"),))
    output = await ask(context_for(party, outbound, call))
    assert (output["status"], output["reason"]) == ("failed", "missing_secret")
    assert service.requests == []


async def test_an_idempotent_call_is_made_again_under_its_key(
    party: Party, outbound: OutboundHttp, service: Service
) -> None:
    call = McpCall(service.url, "hang", timeout_s=1, idempotent=True)
    output = await ask(context_for(party, outbound, call))
    assert (output["status"], output["reason"]) == ("unknown", "outcome_unknown")
    assert len(service.called) == 2
    assert len(service.effects) == 1


@pytest.mark.parametrize("json_response", [True, False])
@pytest.mark.parametrize(
    ("cut", "idempotent", "status", "made"), [(1, False, "unknown", 1), (1, True, "ok", 2), (2, True, "unknown", 2)]
)
async def test_a_connection_that_breaks_off(
    party: Party, outbound: OutboundHttp, cut: int, idempotent: bool, status: str, made: int, json_response: bool
) -> None:
    async with serving(json_response=json_response) as service:
        service.cut = cut
        output = await ask(context_for(party, outbound, McpCall(service.url, idempotent=idempotent)))
        assert output["status"] == status
        assert len(service.called) == made
        assert len(service.effects) == 1


@pytest.mark.parametrize(("idempotent", "status", "made"), [(False, "unknown", 0), (True, "ok", 1)])
async def test_a_call_that_an_earlier_attempt_began(
    party: Party, outbound: OutboundHttp, service: Service, idempotent: bool, status: str, made: int
) -> None:
    call = McpCall(service.url, idempotent=idempotent)
    assert (await ask(context_for(party, outbound, call, repeated=True)))["status"] == status
    assert len(service.called) == made
