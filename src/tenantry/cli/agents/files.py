"""Agents in files: reading those of a folder, and the names that an export gives."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from uuid import UUID

from tenantry.agent_files.agent_file import AgentFile, AgentHead, read_agent_files
from tenantry.client.agents import Agent
from tenantry.domain.errors import InvalidInput

_SUFFIXES = frozenset({".yaml", ".yml", ".json"})
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Source:
    """One agent of a file, or why there is none: `fault`."""

    name: str
    file: AgentFile | None
    fault: str = ""


def read_sources(paths: Iterable[Path]) -> list[Source]:
    """The agents of these files, and of all YAML and JSON files in these folders, in the order of their names. Raises
    InvalidInput for a path where nothing is."""
    found: list[Source] = []
    for path in paths:
        if not path.exists():
            raise InvalidInput(f"{path} is not there; name a file or a folder with agents.")
        inside = sorted(each for each in path.rglob("*") if each.suffix in _SUFFIXES) if path.is_dir() else [path]
        for file in inside:
            found += _read(file)
    return found


def _read(path: Path) -> list[Source]:
    name = str(path)
    try:
        files = read_agent_files(path.read_text("utf-8"), name)
    except InvalidInput as error:
        return [Source(name, None, error.detail)]
    except (OSError, UnicodeDecodeError) as error:
        return [Source(name, None, f"{name} cannot be read: {error}.")]
    several = len(files) > 1
    return [Source(f"{name} ({number})" if several else name, file) for number, file in enumerate(files, 1)]


def file_of(agent: Agent, owner: str | None) -> AgentFile:
    """The draft of an agent as a file; `owner` is the e-mail address of its member."""
    return AgentFile(AgentHead(owner=owner, tags=agent.tags, template=agent.is_template), agent.definition)


def file_names(agents: Iterable[Agent], owners: Mapping[UUID, str]) -> dict[UUID, PurePosixPath]:
    """Where each agent is written to: the tenant's own at the top, each member's in a folder of theirs. The same for
    as long as name and owner are; agents whose names come to the same also carry the end of their id."""
    plain = {agent.id: _path(agent, owners) for agent in agents}
    times = Counter(plain.values())
    return {
        agent_id: path.with_suffix(".yaml")
        if times[path] == 1
        else path.with_name(f"{path.name}-{agent_id.hex[-8:]}.yaml")
        for agent_id, path in plain.items()
    }


def _path(agent: Agent, owners: Mapping[UUID, str]) -> PurePosixPath:
    plain = unicodedata.normalize("NFKD", agent.definition.name).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", plain)[:_LONGEST].strip("-") or "agent"
    if agent.owner_member_id is None:
        return PurePosixPath(name)
    folder = re.sub(r"[^a-z0-9@._+-]", "-", owners[agent.owner_member_id]).strip(".")
    return PurePosixPath(folder, name)
