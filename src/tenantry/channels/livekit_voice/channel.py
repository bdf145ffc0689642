"""What the server's side of calls works with, made once for a process."""

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends
from fastapi.requests import HTTPConnection

from tenantry.credentials.call_tickets import CallTickets, SocketTokens
from tenantry.credentials.master_key import MasterKey
from tenantry.domain.call import Call
from tenantry.domain.errors import LiveKitUnavailable
from tenantry.settings import LiveKitSettings, VoiceSettings

if TYPE_CHECKING:
    from tenantry.channels.livekit_voice.rooms import Rooms


@dataclass(frozen=True, slots=True)
class VoiceChannel:
    """What seals the tickets of dispatched jobs and the tokens of callers' sockets, and the LiveKit server with its
    public address, where there is one."""

    tickets: CallTickets
    sockets: SocketTokens
    rooms: "Rooms | None" = None
    livekit_url: str = ""

    @classmethod
    def of(cls, settings: VoiceSettings, master: MasterKey) -> "VoiceChannel":
        """The channel as the installation is set up."""
        tickets, sockets = CallTickets(master, settings.worker_key), SocketTokens(master)
        if settings.livekit is None:
            return cls(tickets, sockets)
        return cls(tickets, sockets, _rooms(settings.livekit), settings.livekit.public_url)

    async def leave(self, call: Call) -> None:
        """End the room of a call that is over, as far as the LiveKit server can be reached: it ends empty rooms by
        itself."""
        if call.transport == "livekit" and self.rooms is not None:
            with suppress(LiveKitUnavailable):
                await self.rooms.delete(call.room)

    async def close(self) -> None:
        """Close the connections to the LiveKit server."""
        if self.rooms is not None:
            await self.rooms.close()


def _rooms(settings: LiveKitSettings) -> "Rooms":
    # LiveKit's client takes a quarter of a second to load, and where it is not set up nobody needs it.
    from tenantry.channels.livekit_voice.rooms import Rooms

    return Rooms(settings)


async def _voice(connection: HTTPConnection) -> VoiceChannel:
    return connection.app.state.runtime.voice


TheVoice = Annotated[VoiceChannel, Depends(_voice)]
