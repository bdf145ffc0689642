"""What the server's side of calls works with, made once for a process."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from fastapi.requests import HTTPConnection

from tenantry.credentials.call_tickets import CallTickets
from tenantry.credentials.master_key import MasterKey
from tenantry.settings import Settings


@dataclass(frozen=True, slots=True)
class VoiceChannel:
    """What seals the tickets of dispatched jobs."""

    tickets: CallTickets

    @classmethod
    def of(cls, settings: Settings, master: MasterKey) -> "VoiceChannel":
        """The channel as the installation is set up."""
        return cls(CallTickets(master, settings.voice.worker_key))


async def _voice(connection: HTTPConnection) -> VoiceChannel:
    return connection.app.state.runtime.voice


TheVoice = Annotated[VoiceChannel, Depends(_voice)]
