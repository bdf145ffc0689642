"""The LiveKit server: tokens for its rooms, and what is asked of it. Only loaded where there is one."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

import aiohttp
from livekit import api

from tenantry.channels.livekit_voice.verdicts import Present
from tenantry.domain.call import AGENT_NAME
from tenantry.domain.errors import LiveKitUnavailable
from tenantry.settings import LiveKitSettings

TOKEN_LIVES = timedelta(minutes=2)
_TIMEOUT = aiohttp.ClientTimeout(total=3)
_MOST_PARTICIPANTS = 4
# For the room itself: how long it is kept when nobody came, and when all have left.
_EMPTY_S = 180
_DEPARTURE_S = 30
_GONE = (api.TwirpErrorCode.NOT_FOUND,)


class Rooms:
    """Rooms at the LiveKit server. Every method that asks it raises LiveKitUnavailable."""

    def __init__(self, settings: LiveKitSettings) -> None:
        self._settings = settings
        self._client: api.LiveKitAPI | None = None

    def token(self, room: str, participant: str, ticket: str) -> str:
        """A JWT for the caller of this room alone, good for two minutes. The room that it opens asks for an agent,
        whose job carries the ticket."""
        grants = api.VideoGrants(
            room_join=True,
            room=room,
            can_publish=True,
            can_subscribe=True,
            can_publish_data=True,
            can_update_own_metadata=False,
        )
        configuration = api.RoomConfiguration(
            agents=[api.RoomAgentDispatch(agent_name=AGENT_NAME, metadata=ticket)],
            empty_timeout=_EMPTY_S,
            departure_timeout=_DEPARTURE_S,
            max_participants=_MOST_PARTICIPANTS,
        )
        token = api.AccessToken(self._settings.api_key, self._settings.api_secret).with_identity(participant)
        return token.with_ttl(TOKEN_LIVES).with_grants(grants).with_room_config(configuration).to_jwt()

    async def dispatch(self, room: str, ticket: str) -> None:
        """Ask for an agent in the room, whose job carries the ticket. Where no worker takes it, it is lost."""
        request = api.CreateAgentDispatchRequest(agent_name=AGENT_NAME, room=room, metadata=ticket)
        async with self._asking() as client:
            await client.agent_dispatch.create_dispatch(request)

    async def participants(self, room: str) -> Present:
        """Who is in the room; nobody when there is no such room."""
        listed = api.ListParticipantsResponse()
        async with self._asking() as client:
            listed = await client.room.list_participants(api.ListParticipantsRequest(room=room))
        agents = [p.identity for p in listed.participants if p.kind == api.ParticipantInfo.Kind.AGENT]
        callers = [p.identity for p in listed.participants if p.kind == api.ParticipantInfo.Kind.STANDARD]
        return Present(frozenset(callers), frozenset(agents))

    async def remove(self, room: str, identity: str) -> None:
        """Take a participant out of the room, if they are in it."""
        async with self._asking() as client:
            await client.room.remove_participant(api.RoomParticipantIdentity(room=room, identity=identity))

    async def delete(self, room: str) -> None:
        """End the room, if it is there; whoever is in it is sent away."""
        async with self._asking() as client:
            await client.room.delete_room(api.DeleteRoomRequest(room=room))

    async def reachable(self) -> bool:
        """Whether the server answers, and takes our key."""
        try:
            async with self._asking() as client:
                await client.room.list_rooms(api.ListRoomsRequest(names=["-"]))
        except LiveKitUnavailable:
            return False
        return True

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    @asynccontextmanager
    async def _asking(self) -> AsyncGenerator[api.LiveKitAPI]:
        if self._client is None:
            ours = self._settings
            self._client = api.LiveKitAPI(ours.url, ours.api_key, ours.api_secret, timeout=_TIMEOUT, failover=False)
        try:
            yield self._client
        except api.TwirpError as error:
            if error.code not in _GONE:
                raise LiveKitUnavailable(f"The LiveKit server refuses: {error.code}.", retry_after=1) from error
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise LiveKitUnavailable(retry_after=1) from error
