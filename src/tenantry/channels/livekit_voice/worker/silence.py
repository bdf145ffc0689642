"""Notices that nobody says anything."""

import asyncio
from collections.abc import Callable

from livekit.agents import AgentSession, AgentStateChangedEvent, UserStateChangedEvent

from tenantry.channels.livekit_voice.worker.events import listen, unlisten


class SilenceWatch:
    """Calls `on_silence` each time neither side has spoken for `after_s` seconds; an agent that thinks is not silent,
    and the time begins anew with whoever spoke last."""

    def __init__(self, session: AgentSession[None], after_s: float, on_silence: Callable[[], None]) -> None:
        self._session = session
        self._after_s = after_s
        self._on_silence = on_silence
        self._timer: asyncio.TimerHandle | None = None
        listen(session, "agent_state_changed", self._changed)
        listen(session, "user_state_changed", self._changed)

    def stop(self) -> None:
        """Notice nothing any more."""
        unlisten(self._session, "agent_state_changed", self._changed)
        unlisten(self._session, "user_state_changed", self._changed)
        self._cancel()

    def _changed(self, _: AgentStateChangedEvent | UserStateChangedEvent) -> None:
        self._cancel()
        if self._session.agent_state == "listening" and self._session.user_state != "speaking":
            self._timer = asyncio.get_running_loop().call_later(self._after_s, self._on_silence)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
