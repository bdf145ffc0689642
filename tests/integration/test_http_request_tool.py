"""A function that calls the tenant's own service, against a real one on loopback."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import Any

import pytest

from tenantry.domain.agent import AgentDefinition, AnswerField, Function, Header, HttpCall, Variable, VariableType
from tenantry.domain.agent_validation import validate_definition
from tenantry.domain.tools import ToolCallRequest, ToolResult
from tenantry.outbound.addresses import NetworkPolicy
from tenantry.outbound.client import OutboundHttp
from tenantry.storage.tenancy import Database
from tenantry.tools.base import ToolContext
from tenantry.tools.registry import call_tool, tool_specs
from tests.conftest import TenantForTest
from tests.integration.booking_parties import Party, make_party
from tests.integration.valuation_service import Service, serving

ADDRESS = "12 Elm Street / Unit 4 & Co?"
GIVEN: dict[str, Any] = {"property_address": ADDRESS}
LOOPBACK = NetworkPolicy((ip_network("127.0.0.1/32"),))


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """The tenant's service."""
    async with serving() as running:
        yield running


@pytest.fixture
async def outbound() -> AsyncIterator[OutboundHttp]:
    """A client that may go to the service."""
    client = OutboundHttp(LOOPBACK)
    yield client
    await client.close()


@pytest.fixture
async def party(database: Database, tenant: TenantForTest) -> Party:
    """A contact with mark's agent."""
    return await make_party(database, tenant.id, tenant.members["mark"])


def definition(call: HttpCall) -> AgentDefinition:
    """An agent whose get_valuation is the call; what holds a variable in its URL is validated."""
    made = AgentDefinition(
        name="Seller",
        variables=(
            Variable("property_address", VariableType.ADDRESS),
            Variable("asking_price", VariableType.MONEY, required=False),
        ),
        functions=(Function("get_valuation", variables=("property_address", "asking_price"), http=call),),
    )
    validate_definition(made, ())
    return made


def context_for(party: Party, outbound: OutboundHttp, call: HttpCall, *, repeated: bool = False) -> ToolContext:
    """A turn of the party whose agent has the call."""
    agent = replace(party.agent, definition=definition(call))
    return replace(party.context(), agent=agent, outbound=outbound, repeated=repeated)


async def ask(context: ToolContext, **more: Any) -> ToolResult:
    """What the model gets."""
    return await call_tool(context, ToolCallRequest("1", "get_valuation", {**GIVEN, **more}))


async def outcome(party: Party, outbound: OutboundHttp, call: HttpCall) -> tuple[str, str]:
    """Status and reason, of a call that fails with a message."""
    output = (await ask(context_for(party, outbound, call))).output
    assert output["message"]
    return output["status"], output["reason"]


async def test_the_service_is_told_who_and_what(party: Party, outbound: OutboundHttp, service: Service) -> None:
    call = HttpCall(
        f"{service.url}/valuation",
        headers=(Header("X-Desk", "sales"),),
        answer=(AnswerField("estimate", "data.estimate"), AnswerField("price", "data.comparables.0.price")),
    )
    context = context_for(party, outbound, call)
    price = {"amount": 500000, "currency": "USD"}
    result = await ask(context, user_id=context.user_id, asking_price=price)
    assert result.output == {"status": "ok", "estimate": 512000, "price": 498000}
    assert result.done
    assert (service.last.method, service.last.path) == ("POST", "/valuation")
    assert service.last.body == {
        "property_address": ADDRESS,
        "asking_price": price,
        "user_id": str(party.agent.owner_member_id),
        "tenant": str(party.tenant_id),
        "conversation_id": str(party.conversation_id),
    }
    assert service.last.headers["idempotency-key"] == f"{context.turn_id}:{context.step}"
    assert service.last.headers["x-desk"] == "sales"
    assert service.last.headers["content-type"] == "application/json"


async def test_a_get_has_it_in_the_query(party: Party, outbound: OutboundHttp, service: Service) -> None:
    url = f"{service.url}/valuation/{{property_address}}?note=%7Bx%7D&price={{asking_price}}"
    context = context_for(party, outbound, HttpCall(url, "GET"))
    await ask(context, asking_price={"amount": 500000.0, "currency": "USD"})
    assert service.last.path.startswith("/valuation/12%20Elm%20Street%20%2F%20Unit%204%20%26%20Co%3F?note=%7Bx%7D&")
    assert service.last.query == {
        "note": "{x}",
        "price": "500000 USD",
        "user_id": context.user_id,
        "tenant": str(party.tenant_id),
        "conversation_id": str(party.conversation_id),
    }
    assert service.last.body is None


async def test_a_forged_owner_reaches_no_service(
    party: Party, outbound: OutboundHttp, service: Service, tenant: TenantForTest
) -> None:
    context = context_for(party, outbound, HttpCall(f"{service.url}/valuation"))
    assert (await ask(context, user_id=str(tenant.members["jon"]))).status == "refused"
    assert (await ask(context, tenant="other")).status == "invalid"
    assert service.received == []


async def test_without_a_mapping_the_whole_answer_is_told(
    party: Party, outbound: OutboundHttp, service: Service
) -> None:
    result = await ask(context_for(party, outbound, HttpCall(f"{service.url}/valuation")))
    assert result.output["status"] == "ok"
    assert result.output["service_status"] == "final"
    assert result.output["data"]["estimate"] == 512000


async def test_a_long_answer_is_cut(party: Party, outbound: OutboundHttp, service: Service) -> None:
    result = await ask(context_for(party, outbound, HttpCall(f"{service.url}/just")))
    assert result.status == "ok"
    assert len(result.output["answer"]) == 1000


async def test_a_model_is_shown_the_function(party: Party, outbound: OutboundHttp) -> None:
    context = context_for(party, outbound, HttpCall("https://api.example.com/v"))
    (spec,) = tool_specs(context.agent)
    assert spec.name == "get_valuation"
    assert spec.parameters["required"] == ["property_address"]
    assert set(spec.parameters["properties"]) == {"property_address", "asking_price", "user_id"}


@pytest.mark.parametrize("value", ["..", "."])
async def test_a_value_does_not_lead_to_another_path(
    party: Party, outbound: OutboundHttp, service: Service, value: str
) -> None:
    call = HttpCall(f"{service.url}/valuation/{{property_address}}", "DELETE")
    result = await ask(context_for(party, outbound, call), property_address=value)
    assert result.status == "invalid"
    assert service.received == []


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("status:500", "http_500"),
        ("status:404", "http_404"),
        ("status:304", "http_304"),
        ("large", "too_large"),
        ("trickle", "too_large"),
        ("bomb", "bad_answer"),
        ("text:nojson", "bad_answer"),
        ("text:", "bad_answer"),
        ("text:%5B1", "bad_answer"),
        ("text:%5B%5D", "bad_answer"),
        ("redirect:302", "http_302"),
        ("redirect:307", "http_307"),
    ],
)
async def test_what_fails_is_told(
    party: Party, outbound: OutboundHttp, service: Service, path: str, reason: str
) -> None:
    wanted = (AnswerField("estimate", "data.estimate"),)
    call = HttpCall(f"{service.url}/{path}", timeout_s=1, answer=wanted)
    unreadable = reason in {"too_large", "bad_answer"}
    assert await outcome(party, outbound, call) == ("unknown" if unreadable else "failed", reason)
    # A question has no effect that could be unknown.
    assert await outcome(party, outbound, replace(call, method="GET")) == ("failed", reason)


async def test_an_effect_whose_answer_cannot_be_read_is_for_a_person(
    party: Party, outbound: OutboundHttp, service: Service
) -> None:
    result = await ask(context_for(party, outbound, HttpCall(f"{service.url}/large")))
    assert (result.status, result.output["reason"]) == ("unknown", "too_large")
    assert "larger than 256 KiB" in result.output["message"]
    assert "a person should check" in result.output["message"]
    assert len(service.received) == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_what_may_have_had_an_effect_is_sent_once(
    party: Party, outbound: OutboundHttp, service: Service, method: Any
) -> None:
    # The first call leaves an open connection for the second.
    await ask(context_for(party, outbound, HttpCall(f"{service.url}/valuation", "GET")))
    result = await ask(context_for(party, outbound, HttpCall(f"{service.url}/drop", method)))
    assert (result.status, result.output["reason"]) == ("unknown", "outcome_unknown")
    assert "a person should check" in result.output["message"]
    assert [received.method for received in service.received] == ["GET", method]


async def test_nobody_listens(party: Party, outbound: OutboundHttp) -> None:
    async with serving() as gone:
        url = gone.url
    assert await outcome(party, outbound, HttpCall(f"{url}/valuation")) == ("failed", "refused")


@pytest.mark.parametrize(("status", "method"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")])
async def test_redirects_keep_to_the_rules(
    party: Party, outbound: OutboundHttp, service: Service, status: int, method: str
) -> None:
    call = HttpCall(f"{service.url}/redirect:{status}?to=/valuation", headers=(Header("X-Desk", "sales"),))
    assert (await ask(context_for(party, outbound, call))).status == "ok"
    assert service.last.method == method
    assert (service.last.body is not None) is (method == "POST")
    assert service.last.headers["x-desk"] == "sales"
    assert len(service.effects) == 1


async def test_headers_do_not_go_to_another_host(party: Party, outbound: OutboundHttp, service: Service) -> None:
    async with serving() as other:
        call = HttpCall(f"{service.url}/redirect:307?to={other.url}/valuation", headers=(Header("X-Desk", "sales"),))
        assert (await ask(context_for(party, outbound, call))).status == "ok"
        assert other.last.body["property_address"] == ADDRESS
        assert "x-desk" not in other.last.headers
        assert service.last.headers["x-desk"] == "sales"


async def test_no_cookie_comes_back(party: Party, outbound: OutboundHttp, service: Service) -> None:
    context = context_for(party, outbound, HttpCall(f"{service.url}/cookie"))
    await ask(context)
    await ask(context)
    assert "cookie" not in service.last.headers


async def test_redirects_end(party: Party, outbound: OutboundHttp, service: Service) -> None:
    assert (await outcome(party, outbound, HttpCall(f"{service.url}/redirect:307")))[1] == "http_307"
    assert len(service.received) == 4


@pytest.mark.parametrize(
    ("method", "idempotent", "status", "sent"),
    [("GET", False, "ok", 1), ("POST", True, "ok", 1), ("POST", False, "unknown", 0), ("DELETE", False, "unknown", 0)],
)
async def test_a_call_that_was_cut_off(
    party: Party, outbound: OutboundHttp, service: Service, method: Any, idempotent: bool, status: str, sent: int
) -> None:
    call = HttpCall(f"{service.url}/valuation", method, idempotent=idempotent)
    result = await ask(context_for(party, outbound, call, repeated=True))
    assert result.status == status
    assert result.done is (status == "ok")
    assert len(service.received) == sent
    if status == "unknown":
        assert result.output["reason"] == "outcome_unknown"


@pytest.mark.parametrize("path", ["drop:1", "hang:1"])
async def test_an_idempotent_call_that_was_cut_off_is_sent_again_under_its_key(
    party: Party, outbound: OutboundHttp, service: Service, path: str
) -> None:
    call = HttpCall(f"{service.url}/{path}", timeout_s=1, idempotent=True)
    assert (await ask(context_for(party, outbound, call))).status == "ok"
    assert len(service.received) == 2
    assert len(service.effects) == 1


@pytest.mark.parametrize("path", ["drop", "hang"])
async def test_an_idempotent_call_is_sent_twice_and_no_more(
    party: Party, outbound: OutboundHttp, service: Service, path: str
) -> None:
    call = HttpCall(f"{service.url}/{path}", timeout_s=1, idempotent=True)
    assert await outcome(party, outbound, call) == ("unknown", "outcome_unknown")
    assert len(service.received) == 2


@pytest.mark.parametrize(("path", "status"), [("status:503", "failed"), ("large", "unknown")])
async def test_a_service_that_answered_is_not_asked_again(
    party: Party, outbound: OutboundHttp, service: Service, path: str, status: str
) -> None:
    call = HttpCall(f"{service.url}/{path}", idempotent=True)
    assert (await outcome(party, outbound, call))[0] == status
    assert len(service.received) == 1


@pytest.mark.parametrize(
    ("path", "result", "sent"), [("drop:1", "ok", 2), ("drop", "failed", 2), ("hang", "failed", 1)]
)
async def test_a_read_that_broke_off_is_asked_for_again(
    party: Party, outbound: OutboundHttp, service: Service, path: str, result: str, sent: int
) -> None:
    call = HttpCall(f"{service.url}/{path}", "GET", timeout_s=1)
    assert (await ask(context_for(party, outbound, call))).status == result
    assert len(service.received) == sent


async def test_a_repeated_call_that_reaches_nobody_stays_unknown(party: Party, outbound: OutboundHttp) -> None:
    async with serving() as gone:
        call = HttpCall(f"{gone.url}/valuation", idempotent=True)
    assert (await ask(context_for(party, outbound, call, repeated=True))).status == "unknown"


SECRET = "sk+live/0123456789=abc"


@dataclass
class Vault:
    """The sealed secrets of a conversation's owner."""

    known: dict[str, str]

    async def reveal(self, name: str) -> str | None:
        return self.known.get(name)


def sealed(service: Service, path: str, *headers: Header) -> HttpCall:
    """A call with sealed headers."""
    return HttpCall(f"{service.url}/{path}", headers=headers)


async def test_secrets_are_sent_and_do_not_come_back(party: Party, outbound: OutboundHttp, service: Service) -> None:
    call = sealed(service, "echo", Header("Authorization", "Bearer {secret}", "crm"), Header("X-Key", secret="crm"))
    context = replace(context_for(party, outbound, call), secrets=Vault({"crm": SECRET}))
    output = (await ask(context)).output
    assert service.last.headers["authorization"] == f"Bearer {SECRET}"
    assert service.last.headers["x-key"] == SECRET
    assert output == {
        "status": "ok",
        "sent": "Bearer [secret]",
        "in_json": '{"you sent": "Bearer [secret]"}',
        "in_url": "https://x.example/?key=[secret]",
        "in_base64": output["in_base64"],
        "at_a_cut": "x" * 997 + "[se",
        "[secret]": "a name",
        "ok": "kept",
    }
    assert "[secret]" in output["in_base64"]


async def test_sealed_headers_do_not_go_to_another_host(party: Party, outbound: OutboundHttp, service: Service) -> None:
    async with serving() as other:
        path = f"redirect:307?to={other.url}/valuation"
        call = sealed(service, path, Header("Authorization", secret="crm"))
        context = replace(context_for(party, outbound, call), secrets=Vault({"crm": SECRET}))
        assert (await ask(context)).status == "ok"
        assert "authorization" not in other.last.headers


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        ({}, "missing_secret"),
        ({"crm": ""}, "missing_secret"),
        ({"crm": "a\r\nX-Evil: 1"}, "unusable_secret"),
        ({"crm": "schlüssel"}, "unusable_secret"),
    ],
)
async def test_without_a_usable_secret_nothing_is_sent(
    party: Party, outbound: OutboundHttp, service: Service, known: dict[str, str], reason: str
) -> None:
    call = sealed(service, "echo", Header("Authorization", secret="crm"))
    output = (await ask(replace(context_for(party, outbound, call), secrets=Vault(known)))).output
    assert (output["status"], output["reason"]) == ("failed", reason)
    assert "'crm'" in output["message"]
    assert service.received == []
