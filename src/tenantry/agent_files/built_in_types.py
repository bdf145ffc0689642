"""The types of agents that come with Tenantry: one file each in `types/`."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from tenantry.agent_files.agent_file import AgentFile, read_agent_files


@cache
def built_in_types() -> Mapping[str, AgentFile]:
    """The files by the name of their type, sorted. A new type is a new file."""
    found: dict[str, AgentFile] = {}
    folder = files("tenantry.agent_files") / "types"
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".yaml"):
            (found[file.name.removesuffix(".yaml")],) = read_agent_files(file.read_text("utf-8"), file.name)
    return MappingProxyType(found)
