"""`tenantry explain`: how a turn came about."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from tenantry.cli.local import Home, find_tenant, local_server, passing_key, run, settings_for
from tenantry.client import ApiError, TenantryClient
from tenantry.client.turns import Explanation
from tenantry.domain.errors import InvalidInput, NotFound
from tenantry.domain.ids import parse_id
from tenantry.domain.trace import ModelAttempt, ToolStep
from tenantry.settings import Settings


def explain(
    turn: Annotated[str, typer.Argument(help="The turn's id, as replies and events give it.")],
    tenant: Annotated[str, typer.Option(help="The tenant's name in URLs and settings.")] = "peterei",
    prompts: Annotated[bool, typer.Option(help="Print the system prompts too.")] = True,
    home: Home = None,
) -> None:
    """Show prompt, messages, model attempts, tool calls, timings, tokens and cost of one turn."""
    run(_explain(settings_for(home), turn, tenant, prompts))


async def _explain(settings: Settings, turn: str, slug: str, prompts: bool) -> None:
    turn_id = parse_id(turn)
    if turn_id is None:
        raise InvalidInput(f"{turn!r} is no turn's id, such as 0193f0a2-6b3c-7c5e-9d0a-3f1b2c4d5e6f.")
    async with local_server(settings) as (runtime, url):
        tenant = await find_tenant(runtime.db, slug)
        async with passing_key(runtime.db, tenant.id) as key, TenantryClient.open(url, key) as client:
            try:
                told = await client.turns.explain(turn_id)
            except ApiError as error:
                raise NotFound(f"{slug} has no such turn, or it is not done yet: {error}") from error
    _print(Console(highlight=False), told, prompts)


def _print(console: Console, told: Explanation, prompts: bool) -> None:
    turn, trace, result = told.turn, told.trace, told.turn.result
    console.print(f"[bold]Turn {turn.number}[/] {turn.id} of conversation {turn.conversation_id}")
    console.print(f"agent {told.agent_id}, attempt {trace.attempt}, received {turn.received_at:%Y-%m-%d %H:%M:%S %Z}")
    if prompts:
        for number, prompt in enumerate(trace.prompts):
            console.print(Panel(escape(prompt) or "(this model reads no prompt)", title=f"system prompt {number}"))
    for message in told.history:
        console.print(f"[dim]{message.role}> {escape(message.content)}[/]")
    for message in trace.messages:
        console.print(f"{message['role']}> {escape(_said(message))}")
    console.print(_models(trace.models))
    if trace.calls:
        console.print(_calls(trace.calls))
    for attempt in trace.models:
        if attempt.output:
            console.print(Panel(escape(attempt.output), title=f"raw output of {attempt.model}"))
    for block in trace.memory:
        console.print(f"memory {block.label} ({block.scope}): {escape(block.value)}")
    times = {stage: ms for stage, ms in asdict(trace.times).items() if ms}
    console.print("times: " + ", ".join(f"{stage} {ms:.1f} ms" for stage, ms in times.items()))
    if result is None:
        return
    usage = result.usage
    console.print(
        f"tokens: {usage.input_tokens} in ({usage.cached_tokens} cached), {usage.output_tokens} out; "
        f"cost {usage.cost_micros / 1e6:.6f} USD"
    )
    if result.degraded:
        console.print(f"[yellow]degraded: {', '.join(result.degraded)}[/]")
    console.print(f"[bold yellow]agent>[/] {escape(result.reply)}")


def _said(message: Mapping[str, Any]) -> str:
    parts = [message["content"]] if message["content"] else []
    parts += [f"{call['name']}({_json(call['arguments'])})" for call in message["tool_calls"]]
    if message["tool_result"] is not None:
        parts.append(_json(message["tool_result"]["output"]))
    return " ".join(parts)


def _models(attempts: Sequence[ModelAttempt]) -> Table:
    table = Table("model", "outcome", "at ms", "took ms", "first words ms", "tokens in/out", title="model attempts")
    for attempt in attempts:
        first = "" if attempt.first_ms is None else f"{attempt.first_ms:.1f}"
        outcome = attempt.outcome + (f" ({attempt.fault})" if attempt.fault else "")
        tokens = f"{attempt.usage.input_tokens}/{attempt.usage.output_tokens}"
        table.add_row(attempt.model, escape(outcome), f"{attempt.at_ms:.1f}", f"{attempt.took_ms:.1f}", first, tokens)
    return table


def _calls(calls: Sequence[ToolStep]) -> Table:
    table = Table("step", "tool", "arguments", "output", "took ms", title="tool calls")
    for call in calls:
        took = "from an earlier attempt" if call.replayed else f"{call.took_ms:.1f}"
        table.add_row(str(call.step), call.name, escape(_json(call.arguments)), escape(_json(call.output)), took)
    return table


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
