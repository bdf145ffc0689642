"""Traces into a real collector, metrics over real HTTP, and that neither is in anybody's way."""

import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import aiohttp
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from prometheus_client.parser import text_string_to_metric_families

from tenantry.server.runtime import Runtime
from tenantry.server.serving import bind, serving
from tenantry.settings import TelemetrySettings, load_settings
from tenantry.telemetry import telemetry as telemetry_module
from tenantry.telemetry.telemetry import Telemetry
from tests.conftest import TenantForTest
from tests.integration.otlp_collector import attributes, collecting
from tests.turn_reports import AGENT, MEMBER, SECRET, TENANT, at, report

TOKEN = "0123456789abcdef"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def when(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds // 1_000 / 1_000_000, UTC)


def between(span: Span) -> tuple[datetime, datetime]:
    return when(span.start_time_unix_nano), when(span.end_time_unix_nano)


async def counted(telemetry: Telemetry, name: str) -> float:
    """The sum of a counter over all its labels."""
    text = (await telemetry.exposition() or b"").decode()
    families = text_string_to_metric_families(text)
    return sum(s.value for family in families for s in family.samples if s.name == f"tenantry_{name}")


async def test_a_turn_is_a_tree_of_spans() -> None:
    async with collecting() as collector:
        telemetry, told = Telemetry(TelemetrySettings(traces_url=collector.url)), report()
        async with telemetry.running():
            telemetry.observe(told)
        assert collector.services == {"tenantry"}
        root, think = collector.one("invoke_agent"), collector.one("think")
        assert not root.parent_span_id
        assert collector.under(root) == ["accept", "prompt", "think", "store"]
        chats = ["chat maker/large", "chat maker/small", "execute_tool set_appointment", "chat maker/small"]
        assert collector.under(think) == chats
        assert {span.trace_id for span in collector.spans} == {root.trace_id}
        assert between(root) == (at(0), at(1_400))
        assert between(think) == (at(30), at(1_330))
        assert between(collector.one("execute_tool set_appointment")) == (at(930), at(1_130))
        for span in collector.spans:
            of = attributes(span)
            assert of["tenantry.tenant.id"] == str(TENANT)
            assert of["tenantry.turn.id"] == str(told.turn_id)
            assert of["gen_ai.agent.id"] == str(AGENT)
            assert of["gen_ai.conversation.id"] == str(told.conversation_id)
        of_root = attributes(root)
        assert of_root["gen_ai.operation.name"] == "invoke_agent"
        assert of_root["tenantry.owner.id"] == str(MEMBER)
        assert of_root["tenantry.outcome"] == "degraded"
        assert of_root["tenantry.degraded"] == ["timeout", "field_invalid"]
        assert (of_root["gen_ai.usage.input_tokens"], of_root["gen_ai.usage.output_tokens"]) == (300, 40)
        failed = collector.one("chat maker/large")
        assert failed.status.code == Status.STATUS_CODE_ERROR
        assert attributes(failed)["error.type"] == "timeout"
        of_call = attributes(collector.one("execute_tool set_appointment"))
        assert (of_call["gen_ai.tool.name"], of_call["tenantry.tool.status"]) == ("set_appointment", "booked")
        assert SECRET.encode() not in collector.raw


@pytest.mark.parametrize("given", ["", "junk", f"00-{'0' * 32}-{PARENT}-01"])
async def test_a_trace_of_the_callers_is_continued_and_a_broken_one_is_not(given: str) -> None:
    async with collecting() as collector:
        telemetry = Telemetry(TelemetrySettings(traces_url=collector.url))
        async with telemetry.running():
            telemetry.observe(report(channel="one", labels={"traceparent": f"00-{TRACE}-{PARENT}-01"}))
            telemetry.observe(report(channel="two", labels={"traceparent": given}))
        roots = {attributes(s)["tenantry.channel"]: s for s in collector.spans if s.name == "invoke_agent"}
        assert (roots["one"].trace_id.hex(), roots["one"].parent_span_id.hex()) == (TRACE, PARENT)
        assert roots["two"].trace_id.hex() not in {TRACE, "0" * 32}
        assert not roots["two"].parent_span_id


async def test_a_collector_that_is_not_there_or_never_answers_is_in_nobodys_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tenantry.telemetry.spans.CLOSE_S", 0.2)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
    async with collecting() as gone:
        pass
    async with collecting(stalls=True) as stalling:
        for url in (gone.url, stalling.url):
            telemetry = Telemetry(TelemetrySettings(metrics_token=TOKEN, traces_url=url))
            began = time.perf_counter()
            async with telemetry.running():
                telemetry.observe(report())
                if url == stalling.url:
                    await stalling.taken.wait()
                for _ in range(300):
                    telemetry.observe(report())
                    assert telemetry._dropped == 0  # pyright: ignore[reportPrivateUsage]
                assert await counted(telemetry, "turns_total") == 301
            assert time.perf_counter() - began < 5


async def test_what_waits_is_bounded_and_what_is_dropped_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry_module, "QUEUE_LIMIT", 10)
    telemetry = Telemetry(TelemetrySettings(metrics_token=TOKEN))
    async with telemetry.running():
        for _ in range(25):
            telemetry.observe(report())
        assert await counted(telemetry, "turns_total") == 10
        assert await counted(telemetry, "telemetry_dropped_total") == 15
        telemetry.observe(report())
        assert await counted(telemetry, "turns_total") == 11
        assert await counted(telemetry, "telemetry_dropped_total") == 15


async def test_a_report_that_cannot_be_told_stops_no_other() -> None:
    telemetry = Telemetry(TelemetrySettings(metrics_token=TOKEN))
    async with telemetry.running():
        telemetry.observe(replace(report(), trace=None))  # pyright: ignore[reportArgumentType]
        telemetry.observe(report())
        assert await counted(telemetry, "tool_calls_total") == 1


async def test_taking_a_report_costs_the_hot_path_microseconds() -> None:
    telemetry, told = Telemetry(TelemetrySettings(metrics_token=TOKEN)), report()
    async with telemetry.running():
        took: list[float] = []
        for _ in range(900):
            began = time.perf_counter()
            telemetry.observe(told)
            took.append(time.perf_counter() - began)
    assert sorted(took)[len(took) // 2] < 5e-6


@asynccontextmanager
async def scraped(runtime: Runtime, token: str | None) -> AsyncGenerator[tuple[Telemetry, aiohttp.ClientSession]]:
    """The installation with metrics under this token, and a client."""
    settings = replace(runtime.settings, telemetry=TelemetrySettings(metrics_token=token))
    telemetry = Telemetry(settings.telemetry)
    telemetry.gauge("tenantry_open_streams", "Streams.", lambda: 7)
    async with (
        serving(replace(runtime, settings=settings, telemetry=telemetry), bind("127.0.0.1", 0)) as url,
        aiohttp.ClientSession(url) as session,
    ):
        yield telemetry, session


async def get(session: aiohttp.ClientSession, key: str | None) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {key}"} if key is not None else {}
    async with session.get("/metrics", headers=headers) as response:
        return response.status, await response.text()


async def test_the_operators_token_and_no_other_key_opens_the_metrics(runtime: Runtime, tenant: TenantForTest) -> None:
    async with scraped(runtime, TOKEN) as (telemetry, session):
        telemetry.observe(report())
        for key in (None, "", "junk", f"{TOKEN}0", TOKEN[:-1], "schlüssel", tenant.key, *tenant.keys.values()):
            status, text = await get(session, key)
            assert (status, str(TENANT) in text) == (401, False), key
        status, text = await get(session, TOKEN)
        assert status == 200
        values = {s.name: s.value for family in text_string_to_metric_families(text) for s in family.samples}
        assert values["tenantry_turns_total"] == 1
        assert values["tenantry_open_streams"] == 7
        assert values["tenantry_event_loop_lag_seconds"] >= 0
        assert SECRET not in text


async def test_without_a_token_there_are_no_metrics(runtime: Runtime, tenant: TenantForTest) -> None:
    async with scraped(runtime, None) as (telemetry, session):
        telemetry.observe(report())
        for key in (None, "", tenant.key):
            assert (await get(session, key))[0] == 404


async def test_the_process_tells_of_its_turns_and_connections(runtime: Runtime) -> None:
    async with serving(runtime, bind("127.0.0.1", 0)):
        names = {gauge.name for gauge in runtime.telemetry._gauges}  # pyright: ignore[reportPrivateUsage]
        assert names >= {"tenantry_running_turns", "tenantry_pool_connections_in_use"}
        async with runtime.db.operator():
            assert all(gauge.read() >= 0 for gauge in runtime.telemetry._gauges)  # pyright: ignore[reportPrivateUsage]


def test_what_is_not_set_up_is_not_loaded() -> None:
    code = (
        "import asyncio, sys\n"
        "import tenantry.server.app\n"
        "from tenantry.settings import load_settings\n"
        "from tenantry.telemetry.telemetry import Telemetry\n"
        "async def main():\n"
        "    telemetry = Telemetry(load_settings({}).telemetry)\n"
        "    async with telemetry.running():\n"
        "        assert telemetry._task is None\n"
        "asyncio.run(main())\n"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'prometheus_client'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/"}, "http://collector:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://c.example/t"}, "https://c.example/t"),
    ],
)
def test_the_collector_is_named_by_the_standard_settings(environment: dict[str, str], url: str | None) -> None:
    assert load_settings(environment).telemetry.traces_url == url
