"""Requests that Schemathesis makes of the API's own description, sent under one key, with others' ids put into them."""

import hashlib
import io
import itertools
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import schemathesis
from schemathesis import engine, hooks
from schemathesis.engine import events

# How often an id in a request is replaced by one of the sender's own things, and by one of somebody else's; in a
# stateful run an id mostly comes out of an answer, and stays.
_OWN, _OTHERS = 45, 40
_OTHERS_IN_STATEFUL = 15
_STREAM = "/api/v1/conversations/{conversation_id}/stream"
_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "use_after_free",
    "ignored_auth",
)


@dataclass(frozen=True)
class Sender:
    """Who sends: ids of what is theirs and of what is not, each list under the kind of the thing (`agent`), and the
    `marks` that no answer to them may hold, but on the `shared` routes, whose things are the tenant's."""

    name: str
    key: str
    own: Mapping[str, Sequence[UUID]]
    others: Mapping[str, Sequence[UUID]]
    marks: frozenset[str]
    shared: frozenset[str] = frozenset()


@dataclass
class Run:
    """What came of it: `faults` by what they are, each with how to see it again; how many requests each route got, how
    many of those it did, and how many named somebody else's thing; `errors` are of Schemathesis itself."""

    faults: dict[str, str] = field(default_factory=dict[str, str])
    sent: Counter[str] = field(default_factory=Counter[str])
    done: Counter[str] = field(default_factory=Counter[str])
    aimed: Counter[str] = field(default_factory=Counter[str])
    errors: list[str] = field(default_factory=list[str])


def send(url: str, sender: Sender, phases: Mapping[str, int], *, seed: int, max_time_s: int | None = None) -> Run:
    """Run these phases of Schemathesis, each with so many examples (`coverage` makes as many as the schema asks for),
    against the server. Blocks until it is done."""
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json", config=_config(url, sender, phases, seed, max_time_s))
    run = Run()
    theirs = [str(thing) for thing in itertools.chain.from_iterable(sender.others.values())]

    def before_call(context: Any, case: Any, kwargs: Any) -> None:
        _replace_ids(case, sender)
        if case.path == _STREAM and case.query is not None:
            case.query["follow"] = "false"

    def after_call(context: Any, case: Any, response: Any) -> None:
        route = f"{case.method} {case.path}"
        run.sent[route] += 1
        run.done[route] += response.status_code < 300
        asked = f"{response.request.url} {response.request.body!r}"
        run.aimed[route] += any(thing in asked for thing in theirs)
        told = _text(response)
        for mark in sender.marks if route not in sender.shared else ():
            if mark in told and mark not in asked:
                run.faults[f"{route} shows {mark}"] = told[:2000]

    # These two are Schemathesis's for all that it sends in this process; it has them for no smaller part.
    for hook in (before_call, after_call):
        schemathesis.hook(hook)
    try:
        for event in engine.from_schema(schema).execute():
            match event:
                case events.ScenarioFinished():
                    run.faults.update(_failures(event))
                case events.NonFatalError():
                    run.errors.append(f"{event.label}: {event.value!r}")
                case events.FatalError():
                    run.errors.append(repr(event.exception))
                case _:
                    pass
    finally:
        for hook in (before_call, after_call):
            hooks.unregister(hook)
    return run


def _config(
    url: str, sender: Sender, phases: Mapping[str, int], seed: int, max_time_s: int | None
) -> schemathesis.Config:
    settings: dict[str, Any] = {
        "seed": seed,
        "continue-on-failure": True,
        "base-url": url,
        "headers": {"Authorization": f"Bearer {sender.key}"},
        "request-timeout": 20,
        "max-redirects": 0,
        "generation": {"deterministic": True, "database": "none", "no-shrink": True},
        "checks": {"enabled": False, **{name: {"enabled": True} for name in _CHECKS}},
        "phases": {"enabled": False, **{name: _phase(name, most) for name, most in phases.items()}},
    }
    if max_time_s is not None:
        settings["max-time"] = max_time_s
    return schemathesis.Config.from_dict(settings)


def _phase(name: str, most: int) -> dict[str, Any]:
    if name == "coverage":
        return {"enabled": True, "unexpected-methods": []}
    return {"enabled": True} if name == "examples" else {"enabled": True, "generation": {"max-examples": most}}


def _failures(event: events.ScenarioFinished) -> Iterator[tuple[str, str]]:
    for case_id, checks in event.recorder.checks.items():
        for check in checks:
            if check.failure_info is not None:
                failure = check.failure_info.failure
                case = event.recorder.cases[case_id].value
                yield (
                    f"{case.method} {case.path}: {failure.title}: {failure.message}",
                    check.failure_info.code_sample,
                )


def _replace_ids(case: Any, sender: Sender) -> None:
    """Put ids of things into a request where it has made-up ones, always the same into the same request."""
    stateful = case.meta is not None and case.meta.phase.name == "stateful"
    own, others = (0, _OTHERS_IN_STATEFUL) if stateful else (_OWN, _OTHERS)
    text = f"{sender.name} {case.method} {case.path} {case.path_parameters} {case.query} {case.body}"
    numbers = (
        int.from_bytes(hashlib.blake2b(f"{place} {text}".encode(errors="replace"), digest_size=8).digest())
        for place in itertools.count()
    )

    def replaced(name: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: replaced(key, inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [replaced(name, inner) for inner in value]
        if not (isinstance(value, str) and _is_id(value)):
            return value
        number = next(numbers)
        of = sender.others if number % 100 < others else sender.own
        if number % 100 >= own + others or (case.method == "DELETE" and of is sender.own):
            return value
        kind = next((kind for kind in of if kind in name.lower()), None)
        choice = of[kind] if kind else list(itertools.chain.from_iterable(of.values()))
        return str(choice[number // 100 % len(choice)]) if choice else value

    for container in ("path_parameters", "query", "body"):
        value = getattr(case, container)
        if isinstance(value, dict | list):
            setattr(case, container, replaced("", value))


def _text(response: Any) -> str:
    """What an answer says, also when it is packed."""
    if "application/zip" not in response.headers.get("content-type", [""])[0]:
        return response.text
    with zipfile.ZipFile(io.BytesIO(response.content)) as files:
        return "\n".join(files.read(name).decode() for name in files.namelist())


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
