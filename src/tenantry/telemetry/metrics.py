"""Prometheus metrics of turns."""

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

from tenantry.domain.trace import StageTimes, TurnReport
from tenantry.telemetry.labels import NONE, OTHER, Bounded, kind_of
from tenantry.telemetry.timeline import total_ms

MAX_AGENTS = 2_000
MAX_TENANTS = 2_000
MAX_MODELS = 200
MAX_CHANNELS = 20
MAX_KINDS = 100
# Of all combinations together, for each metric.
MAX_SERIES = 10_000

_OF_TURN = ("tenant", "agent", "channel", "model")
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

M = TypeVar("M", Counter, Histogram)


class _Family(Generic[M]):
    """One metric, of which at most `MAX_SERIES` combinations of labels are kept; the rest are summed up as `other`."""

    def __init__(self, metric: M, labels: int) -> None:
        self._metric = metric
        self._other = (OTHER,) * labels
        self._children: dict[tuple[str, ...], M] = {}

    def of(self, *labels: str) -> M:
        """The series with these labels."""
        child = self._children.get(labels)
        if child is not None:
            return child
        if len(self._children) >= MAX_SERIES:
            return self._metric.labels(*self._other)
        child = self._children[labels] = self._metric.labels(*labels)
        return child


class Metrics:
    """What is counted of turns, and what the process is asked for when it is scraped."""

    def __init__(self) -> None:
        disable_created_metrics()
        self._registry = CollectorRegistry()
        self._agents, self._tenants = Bounded(MAX_AGENTS), Bounded(MAX_TENANTS)
        self._models, self._channels = Bounded(MAX_MODELS), Bounded(MAX_CHANNELS)
        self._kinds = Bounded(MAX_KINDS)
        self._gauges: dict[str, Gauge] = {}
        self._turns = self._counter("turns", "Turns that were stored.", *_OF_TURN, "outcome")
        self._degraded = self._counter("turns_degraded", "Steps down that answers took.", "tenant", "agent", "kind")
        self._seconds = self._histogram("turn_seconds", "From a message to its stored reply.", *_OF_TURN)
        self._first_text = self._histogram("first_text_seconds", "From a message to the first words.", *_OF_TURN)
        self._stages = self._histogram("stage_seconds", "Time in each stage of turns.", "tenant", "stage")
        self._requests = self._counter(
            "model_requests", "Requests to models.", "tenant", "agent", "channel", "model", "outcome"
        )
        self._tokens = self._counter("tokens", "Tokens that providers counted.", *_OF_TURN, "direction")
        self._cost = self._counter("cost_dollars", "What providers charged, in US dollars.", *_OF_TURN)
        self._calls = self._counter("tool_calls", "Tool calls.", "tenant", "agent", "status")
        self._tool_seconds = self._histogram("tool_seconds", "Time of tool calls.", "tenant", "agent")
        self._lost = Counter(
            "tenantry_telemetry_dropped",
            "Reports of turns that were dropped because too many waited.",
            registry=self._registry,
        )

    def add(self, report: TurnReport) -> None:
        """Count a turn."""
        tenant, agent = self._tenants.value(str(report.tenant_id)), self._agents.value(str(report.agent_id))
        channel = self._channels.value(kind_of(report.channel))
        result, trace = report.result, report.trace
        of_turn = (tenant, agent, channel, self._model(result.model))
        outcome = result.stopped or ("degraded" if result.degraded else "ok")
        self._turns.of(*of_turn, outcome).inc()
        for step_down in result.degraded:
            self._degraded.of(tenant, agent, self._kinds.value(kind_of(step_down))).inc()
        self._seconds.of(*of_turn).observe(total_ms(trace) / 1000)
        if trace.times.first_text is not None:
            self._first_text.of(*of_turn).observe(trace.times.first_text / 1000)
        for stage, took in _stage_times(trace.times):
            self._stages.of(tenant, stage).observe(took / 1000)
        self._add_models(report, tenant, agent, channel)
        for call in trace.calls:
            status = self._kinds.value(kind_of(str(call.output.get("status", "failed"))))
            self._calls.of(tenant, agent, status).inc()
            self._tool_seconds.of(tenant, agent).observe(call.took_ms / 1000)

    def _add_models(self, report: TurnReport, tenant: str, agent: str, channel: str) -> None:
        for attempt in report.trace.models:
            of_model = (tenant, agent, channel, self._model(attempt.model))
            self._requests.of(*of_model, self._kinds.value(kind_of(attempt.outcome))).inc()
            usage = attempt.usage
            for direction, tokens in (
                ("input", usage.input_tokens),
                ("output", usage.output_tokens),
                ("cached", usage.cached_tokens),
            ):
                if tokens:
                    self._tokens.of(*of_model, direction).inc(tokens)
            if usage.cost_micros:
                self._cost.of(*of_model).inc(usage.cost_micros / 1_000_000)

    def lost(self, reports: int) -> None:
        """Count reports that were dropped."""
        self._lost.inc(reports)

    def measured(self, name: str, about: str, value: float) -> None:
        """Set a gauge of the process."""
        if name not in self._gauges:
            self._gauges[name] = Gauge(name, about, registry=self._registry)
        self._gauges[name].set(value)

    def exposition(self) -> bytes:
        """All of it in the text format of Prometheus, version 0.0.4."""
        return generate_latest(self._registry)

    def _model(self, name: str) -> str:
        return self._models.value(name) if name else NONE

    def _counter(self, name: str, about: str, *labels: str) -> _Family[Counter]:
        return _Family(Counter(f"tenantry_{name}", about, labels, registry=self._registry), len(labels))

    def _histogram(self, name: str, about: str, *labels: str) -> _Family[Histogram]:
        made = Histogram(f"tenantry_{name}", about, labels, buckets=_SECONDS, registry=self._registry)
        return _Family(made, len(labels))


def _stage_times(times: StageTimes) -> Iterator[tuple[str, float]]:
    of: Mapping[str, float] = {
        "accept": times.accept,
        "wait": times.wait,
        "prompt": times.prompt,
        "models": times.models,
        "tools": times.tools,
        "store": times.store,
    }
    return ((stage, took) for stage, took in of.items() if took > 0)
