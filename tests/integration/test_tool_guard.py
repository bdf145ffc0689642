"""Whatever a tool does, the model gets a result."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from structlog.testing import capture_logs

from tenantry.domain.agent import Agent, Function, HttpCall, McpCall
from tenantry.domain.errors import DatabaseUnavailable
from tenantry.domain.tools import ToolResult, ToolSpec
from tenantry.storage.tenancy import Database
from tenantry.tools import registry
from tenantry.tools.base import ToolContext
from tenantry.tools.parameters import function_spec
from tests.conftest import TenantForTest
from tests.integration.booking_parties import Party, make_party


@pytest.fixture
async def party(database: Database, tenant: TenantForTest) -> Party:
    """A contact with mark's agent."""
    return await make_party(database, tenant.id, tenant.members["mark"])


@dataclass(frozen=True)
class Broken:
    """A tool that raises, or hangs where there is nothing to raise."""

    error: BaseException | None
    reads_only: bool
    name: str = "cancel_appointment"

    def spec(self, agent: Agent, function: Function) -> ToolSpec:
        return function_spec(agent, function, "Break.", {})

    async def run(self, context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
        if self.error is not None:
            raise self.error
        await asyncio.Event().wait()
        return ToolResult()


async def outcome(party: Party, monkeypatch: pytest.MonkeyPatch, tool: Broken) -> Mapping[str, Any]:
    """What the model is told of a call of the tool."""
    monkeypatch.setitem(registry._TOOLS, tool.name, tool)  # pyright: ignore[reportPrivateUsage]
    return (await party.call(tool.name)).output


@pytest.mark.parametrize("reads_only", [True, False])
@pytest.mark.parametrize("error", [RuntimeError("jane@example.com"), TimeoutError("jane@example.com")])
async def test_a_tool_that_raises(
    party: Party, monkeypatch: pytest.MonkeyPatch, error: Exception, reads_only: bool
) -> None:
    with capture_logs() as logs:
        told = await outcome(party, monkeypatch, Broken(error, reads_only))
    assert (told["status"], told["reason"]) == ("failed", "tool_failed")
    assert ("not known" in told["message"]) is not reads_only
    assert "jane" not in str(told)
    (entry,) = logs
    assert entry["event"] == "tool failed"
    # What becomes of exc_info on its way to the log is the log's own: type and frames.
    assert "jane" not in str({name: value for name, value in entry.items() if name != "exc_info"})


@pytest.mark.parametrize(("reads_only", "status"), [(True, "failed"), (False, "unknown")])
async def test_a_tool_that_hangs(party: Party, monkeypatch: pytest.MonkeyPatch, reads_only: bool, status: str) -> None:
    monkeypatch.setattr(registry, "_LIMIT_S", 0.05)
    told = await outcome(party, monkeypatch, Broken(None, reads_only))
    assert (told["status"], told["reason"]) == (status, "timeout")


async def test_the_database_being_away_is_not_an_outcome(party: Party, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DatabaseUnavailable):
        await outcome(party, monkeypatch, Broken(DatabaseUnavailable(), reads_only=False))


async def test_being_cancelled_is_not_an_outcome(party: Party, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(asyncio.CancelledError):
        await outcome(party, monkeypatch, Broken(asyncio.CancelledError(), reads_only=False))


@pytest.mark.parametrize(
    ("function", "reads"),
    [
        (Function("check_availability"), True),
        (Function("set_appointment"), False),
        (Function("reschedule_appointment"), False),
        (Function("cancel_appointment"), False),
        (Function("a", http=HttpCall("https://x.example/", "GET")), True),
        (Function("a", http=HttpCall("https://x.example/", idempotent=True)), False),
        (Function("a", mcp=McpCall("https://x.example/", idempotent=True)), False),
        (Function("nobody_carries_it_out"), True),
    ],
)
def test_what_has_an_effect(function: Function, reads: bool) -> None:
    assert registry.reads_only(function) is reads
