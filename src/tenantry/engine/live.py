"""Turns of this process while they are being answered, for whoever follows them."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

from tenantry.auth.budgets import Reservation
from tenantry.domain.conversation import EventType, StopReason, Turn
from tenantry.engine.events import LiveEvent, TurnDone

# A tenant, and the id of one of its turns or conversations.
_OfTenant = tuple[UUID, UUID]


class Stopped(Exception):
    """The turn is to end where it stands."""


class LiveTurn:
    """One turn as it grows: all its events so far, and how to end it. Nobody has to follow it."""

    def __init__(self, turn: Turn, seq: int) -> None:
        """`seq` is the sequence number of the event that brought the message."""
        self.turn = turn
        self.seq = seq
        self.attempt = turn.attempts
        self.begun = False
        self.restarts = 0
        self.labels: dict[str, str] = {}
        self.reservation: Reservation | None = None
        self.events: list[LiveEvent] = []
        self.done: TurnDone | None = None
        self.error: BaseException | None = None
        self.stop_reason: StopReason | None = turn.stop
        self._followers: list[asyncio.Future[None]] = []
        self._scope: asyncio.Timeout | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.done is not None or self.error is not None

    def say(self, text: str) -> None:
        """The next piece of the reply."""
        self.publish(LiveEvent(EventType.DELTA, {"text": text}))

    def publish(self, event: LiveEvent) -> None:
        """Tell whoever follows."""
        self.events.append(event)
        if self._followers:
            self._wake()

    def begin_attempt(self, turn: Turn) -> None:
        """The turn is being answered here from now on."""
        if self.begun:
            self.restart(turn.attempts)
        self.begun = True
        self.turn = turn
        self.attempt = turn.attempts
        self.stop_reason = self.stop_reason or turn.stop

    def restart(self, attempt: int) -> None:
        """What was told so far counts no more: this attempt at the turn is told from its beginning."""
        self.events = []
        self.restarts += 1
        self.attempt = attempt
        self._wake()

    def finish(self, done: TurnDone) -> None:
        """The turn is stored."""
        self.done = done
        self._wake()

    def fail(self, error: BaseException) -> None:
        """Whoever waits for the turn cannot have its outcome here."""
        self.error = error
        self._wake()

    def _wake(self) -> None:
        followers, self._followers = self._followers, []
        for follower in followers:
            _release(follower)

    async def changed(self) -> None:
        """Until something is published, the turn ends, or a `nudge`."""
        follower: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._followers.append(follower)
        try:
            await follower
        except asyncio.CancelledError:
            with suppress(ValueError):
                self._followers.remove(follower)
            raise

    def nudge(self) -> None:
        """Have those who follow look, though nothing may have happened."""
        self._wake()

    async def result(self) -> TurnDone:
        """The stored turn. Raises what kept it from being stored here."""
        while not self.ended:
            await self.changed()
        if self.done is None:
            raise self.error or RuntimeError("a turn ended without its outcome")
        return self.done

    async def follow(self, silence_s: float | None = None) -> AsyncGenerator[list[LiveEvent]]:
        """All events from the first on, those that came together in one list; now and then an empty one where nothing
        happens for so long. Ends with the turn, and when it is restarted."""
        at, restarts = 0, self.restarts
        beat = _Beat(self, silence_s) if silence_s is not None else None
        try:
            while restarts == self.restarts:
                fresh = self.events[at:]
                if not fresh and self.ended:
                    return
                at += len(fresh)
                yield fresh
                if restarts == self.restarts and at == len(self.events) and not self.ended:
                    await self.changed()
        finally:
            if beat is not None:
                beat.end()

    def stop(self, reason: StopReason) -> None:
        """End the turn where it stands: at once while a model speaks, after the tools that are running."""
        self.stop_reason = self.stop_reason or reason
        if self._scope is not None:
            self._scope.reschedule(asyncio.get_running_loop().time())

    @asynccontextmanager
    async def interruptible(self) -> AsyncGenerator[None]:
        """A stop ends what happens inside. Raises Stopped."""
        if self.stop_reason is not None:
            raise Stopped
        try:
            async with asyncio.timeout(None) as self._scope:
                yield
        except TimeoutError:
            if self._scope is None or not self._scope.expired():
                raise
            raise Stopped from None
        finally:
            self._scope = None


class _Beat:
    """Nudges who follows a turn at a steady pace: one timer for a stream, and none for each piece of it."""

    def __init__(self, live: LiveTurn, seconds: float) -> None:
        self._live = live
        self._seconds = seconds
        self._timer = asyncio.get_running_loop().call_later(seconds, self._again)

    def _again(self) -> None:
        self._live.nudge()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._again)

    def end(self) -> None:
        self._timer.cancel()


def _release(follower: "asyncio.Future[None]") -> None:
    if not follower.done():
        follower.set_result(None)


class LiveTurns:
    """The live turns of a process, by their own id and by their conversation, each within its tenant."""

    def __init__(self) -> None:
        self._turns: dict[_OfTenant, LiveTurn] = {}
        self._of_conversation: dict[_OfTenant, list[LiveTurn]] = {}
        self._watchers: defaultdict[_OfTenant, list[asyncio.Future[None]]] = defaultdict(list)
        self.closing = False

    def close(self) -> None:
        """The process ends: who watches a conversation is sent away."""
        self.closing = True
        for tenant_id, conversation_id in list(self._watchers):
            self.notify(tenant_id, conversation_id)

    def __len__(self) -> int:
        return len(self._turns)

    def add(self, live: LiveTurn) -> None:
        """A turn that is answered, or waits to be, here."""
        turn = live.turn
        self._turns[turn.tenant_id, turn.id] = live
        self._of_conversation.setdefault((turn.tenant_id, turn.conversation_id), []).append(live)
        self.notify(turn.tenant_id, turn.conversation_id)

    def remove(self, live: LiveTurn) -> None:
        """It has ended; who watches its conversation is told."""
        turn = live.turn
        del self._turns[turn.tenant_id, turn.id]
        others = self._of_conversation[turn.tenant_id, turn.conversation_id]
        others.remove(live)
        if not others:
            del self._of_conversation[turn.tenant_id, turn.conversation_id]
        self.notify(turn.tenant_id, turn.conversation_id)

    def get(self, tenant_id: UUID, turn_id: UUID) -> LiveTurn | None:
        """The tenant's live turn of that id."""
        return self._turns.get((tenant_id, turn_id))

    def running(self, tenant_id: UUID, conversation_id: UUID) -> LiveTurn | None:
        """The turn of the conversation that is being answered here; those that wait for it come later."""
        return next((live for live in self._of_conversation.get((tenant_id, conversation_id), ()) if live.begun), None)

    def of_conversation(self, tenant_id: UUID, conversation_id: UUID) -> tuple[LiveTurn, ...]:
        """The live turns of the conversation, in the order in which they came."""
        return tuple(self._of_conversation.get((tenant_id, conversation_id), ()))

    def notify(self, tenant_id: UUID, conversation_id: UUID) -> None:
        """Something has changed in the conversation."""
        for watcher in self._watchers.pop((tenant_id, conversation_id), ()):
            _release(watcher)

    async def changed(self, tenant_id: UUID, conversation_id: UUID, seconds: float) -> None:
        """Until `notify`, or until the time is over: it may change in another process."""
        key = tenant_id, conversation_id
        watcher: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watchers[key].append(watcher)
        try:
            async with asyncio.timeout(seconds):
                await watcher
        except TimeoutError:
            pass
        finally:
            if watchers := self._watchers.get(key):
                with suppress(ValueError):
                    watchers.remove(watcher)
                if not watchers:
                    del self._watchers[key]
