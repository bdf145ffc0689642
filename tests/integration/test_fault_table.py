"""The fault table: whatever a model or a tool does, the contact gets a reply, and `degraded` tells each step down."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tenantry.engine.draft import FIXED_REPLY
from tenantry.llm.base import ModelEvent
from tenantry.llm.chat_completions.endpoint import Patience
from tenantry.llm.form_policy.policy import FormPolicy
from tenantry.llm.registry import FORM_POLICY
from tenantry.server.runtime import Runtime
from tenantry.server.serving import bind
from tests.conftest import TenantForTest
from tests.integration.fault_tables import (
    BACKUP,
    EMAIL,
    MODEL,
    PATIENCE,
    TRIES,
    Table,
    answer,
    calling,
    fault_table,
)
from tests.integration.valuation_service import Service
from tests.integration.valuation_service import serving as valuation_service
from tests.wire_server import Answer, WireServer, chunk, refusing, saying, streaming, waiting, wire_server


@dataclass(frozen=True)
class Servers:
    """What stands for the internet: two providers of models and a service."""

    wire: WireServer
    backup: WireServer
    service: Service


@pytest.fixture(scope="module")
async def servers() -> AsyncIterator[Servers]:
    async with wire_server() as wire, wire_server() as backup, valuation_service() as service:
        yield Servers(wire, backup, service)


@pytest.fixture(autouse=True, scope="module")
def _little_patience() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        # However an endpoint is made.
        patch.setattr(Patience.__init__, "__defaults__", PATIENCE)
        yield


@pytest.fixture
async def table(runtime: Runtime, tenant: TenantForTest, servers: Servers) -> AsyncIterator[Table]:
    """Each row has circuit breakers and scripts of its own; what one left is not the next one's fault."""
    async with fault_table(runtime, tenant, servers.wire, servers.backup, servers.service) as opened:
        yield opened
        assert not servers.wire.script
        assert not servers.backup.script
        assert servers.wire.faults == servers.backup.faults == []


@dataclass(frozen=True)
class Fault:
    """A row in which the model gives no whole answer: what it does, each time it is asked; the kind of the fault; how
    often it is asked; what it had said by then."""

    name: str
    plays: Callable[[WireServer], Answer]
    kind: str
    asked: int = 1
    said: str = ""


_TOO_LONG = {"message": "This model's maximum context length is 8192 tokens.", "code": "context_length_exceeded"}
_HEL = answer("I am happy to help you.")[:3]
FAULTS = (
    Fault("slow first token", lambda wire: waiting(wire.done), "timeout"),
    Fault("slow after the headers", lambda wire: streaming([b": wait\n\n"], wait=wire.done), "timeout"),
    Fault("stalled stream", lambda wire: streaming(_HEL, wait=wire.done), "stalled", said="I am happ"),
    Fault("cut in mid-word", lambda _: streaming(_HEL, cut=True), "cut", said="I am happ"),
    Fault("cut before a word", lambda _: streaming(_HEL[:1], cut=True), "cut", TRIES),
    Fault("cut inside a tool call", lambda _: streaming(calling("works", finish=None), cut=True), "cut", TRIES),
    Fault("ended inside a tool call", lambda _: streaming(calling("works", finish=None)), "cut", TRIES),
    Fault("limit of tokens", lambda _: streaming(saying('{"system_response": "I', finish="length")), "cut", said="I"),
    Fault("bad JSON", lambda _: streaming(saying('{"system', '_response": tru')), "bad_answer", 2),
    Fault("bad JSON in a tool call", lambda _: streaming(calling("works", '{"email": ]')), "bad_answer", 2),
    Fault("no event of the wire", lambda _: streaming([b"data: {oops\n\n"]), "bad_answer", 2),
    Fault("nothing said", lambda _: streaming(saying("")), "bad_answer", 2),
    Fault("429", lambda _: refusing(429, Retry_After="0"), "rate_limited", TRIES),
    Fault("429 for long", lambda _: refusing(429, Retry_After="3600"), "rate_limited"),
    Fault("500", lambda _: refusing(500), "server", TRIES),
    Fault("500 in the stream", lambda _: streaming([chunk(error={"code": 500, "message": "no"})]), "server", TRIES),
    Fault("context too long", lambda _: refusing(400, _TOO_LONG), "context_too_long"),
    Fault("key revoked", lambda _: refusing(401, {"message": "revoked", "code": "invalid_api_key"}), "auth"),
    Fault("no such model", lambda _: refusing(404), "not_found"),
)


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name.replace(" ", "_") for fault in FAULTS])
async def test_the_form_policy_goes_on_from_what_was_said(table: Table, fault: Fault) -> None:
    table.wire.script.extend([fault.plays(table.wire)] * fault.asked)
    told = await table.say()
    assert told["degraded"] == [f"{fault.kind}:{MODEL}"]
    assert told["reply"].startswith(fault.said)
    assert EMAIL in told["reply"].removeprefix(fault.said)
    assert (told["variables"], told["toolCalls"]) == ({"email": EMAIL}, [])
    assert len(table.wire.requests) == fault.asked
    assert table.backup.requests == []


# What the next model says, and what the contact has heard then, by what was said before.
GOING_ON = {
    "": ("Good morning.", "Good morning."),
    "I": ("I will see to it.", "I will see to it."),
    "I am happ": ("happy to help you.", "I am happy to help you."),
}


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name.replace(" ", "_") for fault in FAULTS])
async def test_the_next_model_goes_on_from_what_was_said(table: Table, fault: Fault) -> None:
    says, heard = GOING_ON[fault.said]
    table.wire.script.extend([fault.plays(table.wire)] * fault.asked)
    table.backup.script.append(streaming(answer(says)))
    told = await table.say(await table.with_backup())
    assert (told["reply"], told["degraded"]) == (heard, [f"{fault.kind}:{MODEL}"])
    assert (told["variables"], told["fields"]) == ({"email": EMAIL}, {"mood": "good", "score": 7})
    assert told["toolCalls"] == []
    assert (len(table.wire.requests), len(table.backup.requests)) == (fault.asked, 1)
    last = table.backup.requests[0]["messages"][-1]["content"]
    assert f"«{fault.said}»" in last if fault.said else EMAIL in last


async def test_the_form_policy_goes_on_where_both_models_fail(table: Table) -> None:
    table.wire.script.append(streaming(_HEL, cut=True))
    table.backup.script.append(streaming(answer("happy to help you.")[:3], cut=True))
    told = await table.say(await table.with_backup(), message=f"This is bad. My email is {EMAIL}")
    assert told["degraded"] == [f"cut:{MODEL}", f"cut:{BACKUP}"]
    assert told["reply"].startswith("I am happy")
    assert EMAIL in told["reply"]
    # What it cannot tell without a model it leaves out, and that is no step down.
    assert (told["variables"], told["fields"]) == ({"email": EMAIL}, {"mood": "bad"})


@pytest.mark.parametrize("said", ["", "I am happ"])
async def test_a_fixed_reply_where_all_fail(table: Table, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    async def breaks(*_: Any) -> AsyncGenerator[ModelEvent]:
        raise RuntimeError
        yield

    monkeypatch.setattr(FormPolicy, "respond", breaks)
    table.wire.script.append(streaming(_HEL, cut=True) if said else refusing(401))
    table.backup.script.append(refusing(401))
    told = await table.say(await table.with_backup())
    kind = "cut" if said else "auth"
    assert told["degraded"] == [f"{kind}:{MODEL}", f"auth:{BACKUP}", f"model_failed:{FORM_POLICY}", "fixed_reply"]
    assert told["reply"] == f"{said} {FIXED_REPLY}".strip()


FAULTS_THAT_OPEN = 5
LEFT_ALONE_S = 15.0


@pytest.mark.parametrize("backup", [False, True])
async def test_a_provider_that_keeps_failing_is_left_alone_for_a_while(table: Table, backup: bool) -> None:
    agent_id = await (table.with_backup() if backup else table.agent())
    table.wire.script.extend([refusing(401)] * FAULTS_THAT_OPEN)
    if backup:
        table.backup.script.extend([streaming(answer("Good morning."))] * (FAULTS_THAT_OPEN + 1))
    for _ in range(FAULTS_THAT_OPEN):
        assert (await table.say(agent_id))["degraded"] == [f"auth:{MODEL}"]
    table.clock.at += LEFT_ALONE_S - 0.1
    told = await table.say(agent_id)
    assert told["degraded"] == [f"circuit_open:{MODEL}"]
    assert told["reply"] == "Good morning." if backup else EMAIL in told["reply"]
    assert len(table.wire.requests) == FAULTS_THAT_OPEN
    table.clock.at += 0.1
    table.wire.script.extend([streaming(answer("Back again."))] * 2)
    for _ in range(2):
        told = await table.say(agent_id)
        assert (told["reply"], told["degraded"]) == ("Back again.", [])
    assert len(table.wire.requests) == FAULTS_THAT_OPEN + 2


async def test_refused(table: Table, runtime: Runtime, tenant: TenantForTest) -> None:
    """Nobody listens where the model should be."""
    closed = bind("127.0.0.1", 0)
    nowhere = WireServer()
    nowhere.url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
    closed.close()
    async with fault_table(runtime, tenant, nowhere, table.backup, table.service) as own:
        told = await own.say()
    assert told["degraded"] == [f"refused:{MODEL}"]
    assert EMAIL in told["reply"]
    assert told["variables"] == {"email": EMAIL}


PASSING = (
    ("429", lambda: refusing(429, Retry_After="0")),
    ("500", lambda: refusing(500)),
    ("a cut before a word", lambda: streaming(_HEL[:1], cut=True)),
    ("a cut inside a tool call", lambda: streaming(calling("works", finish=None), cut=True)),
    ("bad JSON", lambda: streaming(saying('{"system', '_response": tru'))),
    ("bad JSON in a tool call", lambda: streaming(calling("works", '{"email": ]'))),
)


@pytest.mark.parametrize("plays", [plays for _, plays in PASSING], ids=[name for name, _ in PASSING])
async def test_what_passes_is_no_step_down(table: Table, plays: Callable[[], Answer]) -> None:
    table.wire.script.extend([plays(), streaming(answer("Good morning."))])
    told = await table.say()
    assert (told["reply"], told["degraded"], told["toolCalls"]) == ("Good morning.", [], [])
    assert told["fields"] == {"mood": "good", "score": 7}
    assert len(table.wire.requests) == 2


TOOLS = (
    ("unknown tool", "POST", "fly_to_the_moon", "failed", "unavailable_tool"),
    ("tool that hangs", "POST", "hangs", "unknown", "outcome_unknown"),
    ("tool that fails", "POST", "fails", "failed", "http_500"),
    ("tool that answers 1 MB", "POST", "answers_1_mb", "unknown", "too_large"),
    ("tool that answers no JSON", "POST", "mumbles", "unknown", "bad_answer"),
    ("question that hangs", "GET", "hangs", "failed", "timeout"),
    ("question that fails", "GET", "fails", "failed", "http_500"),
    ("question that answers 1 MB", "GET", "answers_1_mb", "failed", "too_large"),
    ("question that answers no JSON", "GET", "mumbles", "failed", "bad_answer"),
)


@pytest.mark.parametrize(
    ("method", "name", "status", "reason"), [row[1:] for row in TOOLS], ids=[row[0] for row in TOOLS]
)
async def test_a_tool_that_fails_is_told_to_the_model(
    table: Table, method: str, name: str, status: str, reason: str
) -> None:
    table.wire.script.extend([streaming(calling(name)), streaming(answer("That did not work."))])
    told = await table.say(await table.agent(method=method))
    assert told["reply"] == "That did not work."
    # What may have been done, a person has to look at; the reply is whole in any case.
    assert told["degraded"] == ([f"tool_outcome_unknown:{name}"] if status == "unknown" else [])
    (call,) = told["toolCalls"]
    assert (call["name"], call["arguments"]) == (name, {"email": EMAIL})
    assert (call["output"]["status"], call["output"]["reason"]) == (status, reason)
    heard = table.wire.requests[-1]["messages"][-1]
    assert (heard["role"], json.loads(heard["content"])) == ("tool", call["output"])


UNSTORABLE = (
    ("a NUL", "works", '{"email": "a\\u0000b"}', "works", {"email": "a\ufffdb"}, "ok"),
    ("half a pair", "works", '{"email": "a\\ud800b"}', "works", {"email": "a\ufffdb"}, "ok"),
    ("a NUL in a name", "works", '{"\\u0000": 1}', "works", {"\ufffd": 1}, "invalid"),
    ("a NUL in the function's name", "wo\0rks", "{}", "wo\ufffdrks", {}, "failed"),
    ("a number beyond all", "works", f'{{"email": {10**30}}}', "works", {"email": 1e30}, "invalid"),
    ("nested too deep", "works", f'{{"email": {"[" * 64}{"]" * 64}}}', "works", None, "invalid"),
)


@pytest.mark.parametrize(
    ("name", "arguments", "told_name", "told_arguments", "status"),
    [row[1:] for row in UNSTORABLE],
    ids=[row[0] for row in UNSTORABLE],
)
async def test_what_no_database_keeps_is_cleaned(
    table: Table, name: str, arguments: str, told_name: str, told_arguments: Any, status: str
) -> None:
    table.wire.script.extend([streaming(calling(name, arguments)), streaming(answer("Let me see."))])
    told = await table.say()
    assert (told["reply"], told["degraded"]) == ("Let me see.", [])
    (call,) = told["toolCalls"]
    assert (call["name"], call["output"]["status"]) == (told_name, status)
    assert told_arguments in (None, call["arguments"])
    if status == "ok":
        assert table.service.last.body["email"] == call["arguments"]["email"]


async def test_a_tool_that_worked_before_the_model_failed_is_not_called_again(table: Table) -> None:
    table.wire.script.extend([streaming(calling("works")), refusing(401)])
    told = await table.say()
    assert told["degraded"] == [f"auth:{MODEL}"]
    assert [(call["name"], call["output"]["status"]) for call in told["toolCalls"]] == [("works", "ok")]
    assert told["reply"]


async def test_bad_json_after_the_words_costs_no_word(table: Table) -> None:
    """The values are asked for once more; where they stay away, the reply is what was said."""
    broken = streaming(saying('{"system_response": "I see.", "v'))
    agent_id = await table.agent()
    table.wire.script.extend([broken, streaming(answer("Something else."))])
    told = await table.say(agent_id)
    assert (told["reply"], told["degraded"], told["variables"]) == ("I see.", [], {"email": EMAIL})
    assert told["fields"] == {"mood": "good", "score": 7}
    table.wire.script.extend([broken, broken])
    told = await table.say(agent_id)
    assert (told["reply"], told["degraded"]) == ("I see.", ["field_invalid:mood", "field_invalid:score"])
    assert (told["variables"], told["fields"]) == ({}, {})
    assert len(table.wire.requests) == 4


WRONG = (
    ("wrong enum", {"mood": "awful"}, {"score": 7}, "mood"),
    ("number out of range", {"score": 11}, {"mood": "good"}, "score"),
    ("missing field", {"mood": None}, {"score": 7}, "mood"),
)


@pytest.mark.parametrize(("wrong", "name"), [(row[1], row[3]) for row in WRONG], ids=[row[0] for row in WRONG])
async def test_a_wrong_field_is_asked_for_once_more(table: Table, wrong: dict[str, Any], name: str) -> None:
    """What was said is said once; the rest comes from the second answer."""
    table.wire.script.extend([_wrongly(wrong), streaming(answer("Something else."))])
    told = await table.say()
    assert (told["reply"], told["degraded"]) == ("Good morning.", [])
    assert told["fields"] == {"mood": "good", "score": 7}
    assert len(table.wire.requests) == 2
    assert name in json.dumps(table.wire.requests[-1]["messages"][-1])


@pytest.mark.parametrize(("wrong", "kept", "name"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
async def test_a_field_that_stays_wrong_is_left_out(
    table: Table, wrong: dict[str, Any], kept: dict[str, Any], name: str
) -> None:
    table.wire.script.extend([_wrongly(wrong), _wrongly(wrong)])
    told = await table.say()
    assert (told["reply"], told["degraded"]) == ("Good morning.", [f"field_invalid:{name}"])
    assert told["fields"] == kept
    assert len(table.wire.requests) == 2


def _wrongly(wrong: dict[str, Any]) -> Answer:
    """An answer with these fields; None leaves one out."""
    whole = {"system_response": "Good morning.", "variables": {"email": EMAIL}, "mood": "good", "score": 7, **wrong}
    return streaming(saying(json.dumps({name: value for name, value in whole.items() if value is not None})))
