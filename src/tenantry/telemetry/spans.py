"""OpenTelemetry spans of turns, made after the fact. Names and attributes follow the semantic conventions for
generative AI; nothing of what was said, asked or answered is in them."""

import asyncio
import contextlib
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from tenantry.domain.conversation import Usage
from tenantry.domain.tools import ToolResult
from tenantry.domain.trace import ModelAttempt, ToolStep, TurnReport
from tenantry.telemetry.labels import kind_of, name_of
from tenantry.telemetry.timeline import stages, total_ms

CLOSE_S = 3.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SOUND = frozenset({"ok", "stopped"})

Attributes = dict[str, AttributeValue]


class Spans:
    """Hands spans to a collector over OTLP/HTTP, from a thread of its own. `url` is where traces are taken, such as
    "http://localhost:4318/v1/traces"; headers, time-outs and sampling are the SDK's own `OTEL_` settings."""

    def __init__(self, url: str) -> None:
        self._exporter = OTLPSpanExporter(endpoint=url)
        self._provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("tenantry")
        self._incoming = TraceContextTextMapPropagator()

    def add(self, report: TurnReport) -> None:
        """Make the spans of a turn: the turn itself, its stages, and in `think` each model attempt and tool call."""
        begun = (report.begun_at - _EPOCH) // _MICROSECOND * 1_000
        parent = self._incoming.extract({"traceparent": report.labels.get("traceparent", "")}, context=Context())
        root = self._tracer.start_span(
            "invoke_agent", context=parent, kind=SpanKind.SERVER, attributes=_of_turn(report), start_time=begun
        )
        if "fixed_reply" in report.result.degraded:
            root.set_status(Status(StatusCode.ERROR))
        inside = set_span_in_context(root, Context())
        for stage in stages(report.trace):
            span = self._tracer.start_span(
                stage.name, context=inside, attributes=_ids(report), start_time=_at(begun, stage.begins)
            )
            if stage.name == "think":
                self._steps(report, begun, set_span_in_context(span, Context()))
            span.end(_at(begun, stage.ends))
        root.end(_at(begun, total_ms(report.trace)))

    def _steps(self, report: TurnReport, begun: int, inside: Context) -> None:
        for attempt in report.trace.models:
            made = _of_attempt(report, attempt)
            span = self._step(f"chat {attempt.model}", SpanKind.CLIENT, made, inside, _at(begun, attempt.at_ms))
            if attempt.outcome not in _SOUND:
                span.set_status(Status(StatusCode.ERROR))
            span.end(_at(begun, attempt.at_ms + attempt.took_ms))
        for call in report.trace.calls:
            made, name = _of_call(report, call), name_of(call.name)
            span = self._step(f"execute_tool {name}", SpanKind.INTERNAL, made, inside, _at(begun, call.at_ms))
            if made["tenantry.tool.status"] in {"failed", "unknown"}:
                span.set_status(Status(StatusCode.ERROR))
            span.end(_at(begun, call.at_ms + call.took_ms))

    def _step(self, name: str, kind: SpanKind, attributes: Attributes, inside: Context, begins: int) -> Span:
        return self._tracer.start_span(name, context=inside, kind=kind, attributes=attributes, start_time=begins)

    async def close(self) -> None:
        """Send what is left, for at most `CLOSE_S` seconds: a collector that does not answer stops nobody."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def shut() -> None:
            self._provider.shutdown()
            # Where this took too long the loop may be gone.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(done.set)

        threading.Thread(target=shut, name="telemetry-close", daemon=True).start()
        try:
            async with asyncio.timeout(CLOSE_S):
                await done.wait()
        except TimeoutError:
            self._exporter.shutdown()


def _resource() -> Resource:
    found = Resource.create()
    if str(found.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        return found.merge(Resource({SERVICE_NAME: "tenantry"}))
    return found


def _at(begun: int, ms: float) -> int:
    return begun + round(ms * 1_000_000)


def _ids(report: TurnReport) -> Attributes:
    return {
        "tenantry.tenant.id": str(report.tenant_id),
        "tenantry.turn.id": str(report.turn_id),
        "gen_ai.agent.id": str(report.agent_id),
        "gen_ai.conversation.id": str(report.conversation_id),
    }


def _of_turn(report: TurnReport) -> Attributes:
    result = report.result
    found: Attributes = {
        **_ids(report),
        "gen_ai.operation.name": "invoke_agent",
        "tenantry.channel": kind_of(report.channel),
        "tenantry.outcome": result.stopped or ("degraded" if result.degraded else "ok"),
        "tenantry.attempt": report.trace.attempt,
        **_usage(result.usage),
    }
    if result.model:
        found["gen_ai.response.model"] = result.model
    if result.degraded:
        found["tenantry.degraded"] = [kind_of(step) for step in result.degraded]
    if report.owner_member_id is not None:
        found["tenantry.owner.id"] = str(report.owner_member_id)
    if report.trace.times.first_text is not None:
        found["gen_ai.response.time_to_first_chunk"] = report.trace.times.first_text / 1000
    return found


def _of_attempt(report: TurnReport, attempt: ModelAttempt) -> Attributes:
    found: Attributes = {
        **_ids(report),
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": attempt.model,
        "tenantry.outcome": kind_of(attempt.outcome),
        **_usage(attempt.usage),
    }
    if attempt.first_ms is not None:
        found["gen_ai.response.time_to_first_chunk"] = max(0.0, attempt.first_ms - attempt.at_ms) / 1000
    if attempt.outcome not in _SOUND:
        found["error.type"] = kind_of(attempt.outcome)
    return found


def _of_call(report: TurnReport, call: ToolStep) -> Attributes:
    return {
        **_ids(report),
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": name_of(call.name),
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": f"{report.turn_id}:{call.step}",
        "tenantry.tool.status": kind_of(ToolResult(call.output).status),
        "tenantry.tool.replayed": call.replayed,
    }


def _usage(usage: Usage) -> Mapping[str, AttributeValue]:
    if not usage.input_tokens and not usage.output_tokens:
        return {}
    return {
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
        "tenantry.cost.micros": usage.cost_micros,
    }
