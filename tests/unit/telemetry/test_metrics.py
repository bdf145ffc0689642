"""What is counted of turns, and that labels stay bounded."""

from dataclasses import replace
from uuid import UUID

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tenantry.domain.trace import ToolStep
from tenantry.telemetry import metrics as metrics_module
from tenantry.telemetry.metrics import Metrics
from tests.turn_reports import AGENT, SECRET, TENANT, report

OF_TURN = {"tenant": str(TENANT), "agent": str(AGENT), "channel": "http", "model": "maker/small"}
OF_AGENT = {"tenant": str(TENANT), "agent": str(AGENT)}

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def series(metrics: Metrics) -> Series:
    """Every sample by its name and labels, as Prometheus' own parser reads them."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.exposition().decode())
        for sample in family.samples
    }


def sample(found: Series, name: str, **labels: str) -> float:
    return found[f"tenantry_{name}", frozenset(labels.items())]


def test_a_turn_is_counted_by_what_came_of_it() -> None:
    metrics = Metrics()
    metrics.add(report())
    found = series(metrics)
    assert sample(found, "turns_total", **OF_TURN, outcome="degraded") == 1
    assert sample(found, "turns_degraded_total", **OF_AGENT, kind="timeout") == 1
    assert sample(found, "turns_degraded_total", **OF_AGENT, kind="field_invalid") == 1
    assert sample(found, "turn_seconds_sum", **OF_TURN) == pytest.approx(1.4)
    assert sample(found, "first_text_seconds_sum", **OF_TURN) == pytest.approx(0.63)
    stages = {"accept": 0.01, "prompt": 0.02, "models": 1.1, "tools": 0.2, "store": 0.07}
    for stage, seconds in stages.items():
        assert sample(found, "stage_seconds_sum", tenant=str(TENANT), stage=stage) == pytest.approx(seconds)
    assert sample(found, "model_requests_total", **OF_TURN, outcome="ok") == 2
    of_large = {**OF_TURN, "model": "maker/large"}
    assert sample(found, "model_requests_total", **of_large, outcome="timeout") == 1
    for direction, tokens in (("input", 300), ("output", 40), ("cached", 100)):
        assert sample(found, "tokens_total", **OF_TURN, direction=direction) == tokens
    assert sample(found, "cost_dollars_total", **OF_TURN) == pytest.approx(0.0025)
    assert sample(found, "tool_calls_total", **OF_AGENT, status="booked") == 1
    assert sample(found, "tool_seconds_sum", **OF_AGENT) == pytest.approx(0.2)


def test_an_answer_that_was_stopped_is_an_outcome_of_its_own() -> None:
    metrics, told = Metrics(), report()
    metrics.add(replace(told, result=replace(told.result, stopped="cancelled")))
    assert sample(series(metrics), "turns_total", **OF_TURN, outcome="cancelled") == 1


def test_nothing_that_was_said_is_told() -> None:
    metrics, told = Metrics(), report(channel=f"{SECRET} said")
    call = ToolStep(0, SECRET, {}, {"status": f"{SECRET}!"}, 0, 1)
    attempt = replace(told.trace.models[0], outcome=f"{SECRET}?")
    trace = replace(told.trace, calls=(call,), models=(attempt,))
    metrics.add(replace(told, trace=trace, result=replace(told.result, degraded=(SECRET,))))
    assert SECRET not in metrics.exposition().decode()


def test_agents_beyond_the_limit_are_summed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_module, "MAX_AGENTS", 3)
    metrics = Metrics()
    for number in range(10):
        for _ in range(2):
            metrics.add(report(agent_id=UUID(int=number)))
    found = series(metrics)
    agents = {dict(labels)["agent"] for name, labels in found if name == "tenantry_turns_total"}
    assert agents == {*(str(UUID(int=number)) for number in range(3)), "other"}
    assert sample(found, "turns_total", **{**OF_TURN, "agent": "other"}, outcome="degraded") == 14


def test_combinations_beyond_the_limit_are_summed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_module, "MAX_SERIES", 5)
    metrics, told = Metrics(), report()
    for number in range(20):
        metrics.add(replace(told, result=replace(told.result, model=f"m{number}")))
    found = series(metrics)
    turns = {labels: value for (name, labels), value in found.items() if name == "tenantry_turns_total"}
    assert len(turns) == 6
    assert sum(turns.values()) == 20


def test_hostile_names_of_models_stay_one_label() -> None:
    metrics, told = Metrics(), report()
    name = 'a"} 1\nfake_metric{x="\\'
    metrics.add(replace(told, result=replace(told.result, model=name)))
    assert sample(series(metrics), "turns_total", **{**OF_TURN, "model": name}, outcome="degraded") == 1
