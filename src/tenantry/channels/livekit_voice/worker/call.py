"""One call from the first word to the last."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import structlog
from livekit.agents import (
    AgentSession,
    AgentStateChangedEvent,
    CloseEvent,
    CloseReason,
    UserInputTranscribedEvent,
    inference,
    llm,
)
from livekit.agents.voice import SpeechHandle

from tenantry.channels.livekit_voice.worker import phrases
from tenantry.channels.livekit_voice.worker.agent import TurnAgent, make_session, vad_silence
from tenantry.channels.livekit_voice.worker.at_once import AtOnce
from tenantry.channels.livekit_voice.worker.engines import EngineParts, Speech, speech_of
from tenantry.channels.livekit_voice.worker.events import listen
from tenantry.channels.livekit_voice.worker.line import SUMMARY, Line
from tenantry.channels.livekit_voice.worker.recording import Recording
from tenantry.channels.livekit_voice.worker.sayings import Saying, Sayings
from tenantry.channels.livekit_voice.worker.silence import SilenceWatch
from tenantry.channels.livekit_voice.worker.turn import Turn
from tenantry.channels.livekit_voice.worker.utterances import UtteranceReport
from tenantry.client.call_session import CallSession, Claim
from tenantry.client.errors import ApiError
from tenantry.client.replies import Reply
from tenantry.domain.call import EndReason
from tenantry.domain.errors import CallEnded

_BEAT_S = 2.0
_RETURN_S = 10.0  # a caller who is away as long has left
_JOIN_S = 30.0  # and one who has never come, does not
_FLUSH_S = 10.0
_HISTORY_S = 0.5
_LEAVE_S = 2.0  # for the same where another process is to go on as soon as it can

log = structlog.get_logger(__name__)


class LineBroken(Exception):
    """Nothing goes over the line any more, while the call may well go on: another process is to take it."""


class NotOurs(Exception):
    """The call is over, or another process speaks for it: leave, and say nothing."""


async def run_call(claim: Claim, session: CallSession, line: Line, speech_socket: Path) -> None:
    """Speak for the call until it ends or is not ours any more. Raises LineBroken, ConfigurationError for engines that
    cannot be used, and ApiError where the server could not be told of the end."""
    vad = inference.VAD(min_silence_duration=vad_silence(claim.voice), executor=AtOnce())
    async with aiohttp.ClientSession() as http:
        speech = speech_of(claim, EngineParts(speech_socket, http, vad))
        call = _Call(claim, session, line, speech, make_session(claim.voice, speech, vad))
        await call.run()


class _Call:
    def __init__(
        self, claim: Claim, session: CallSession, line: Line, speech: Speech, voice_session: AgentSession[None]
    ) -> None:
        self._claim = claim
        self._session = session
        self._line = line
        self._speech = speech
        self._voice_session = voice_session
        self._outcome: asyncio.Future[EndReason] = asyncio.get_running_loop().create_future()
        self._report = UtteranceReport(session)
        self._recording = Recording(session, voice_session) if claim.voice.record else None
        self._sayings = Sayings(voice_session, claim.next_position, self._report.add)
        self._told: set[str] = set()
        self._turns = 0
        self._silences = 0
        self._closing = False
        self._answered = False
        self._beat_now = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """See `run_call`."""
        voice_session = self._voice_session
        listen(voice_session, "agent_state_changed", self._agent_changed)
        listen(voice_session, "user_input_transcribed", self._transcribed)
        listen(voice_session, "close", self._closed)
        agent = TurnAgent(self, self._speech, self._claim.language)
        agent.prepare(self._first_words())
        watch = SilenceWatch(voice_session, self._claim.voice.silence_s, self._silent)
        try:
            await self._line.start(voice_session, agent)
            if self._recording is not None:
                self._recording.attach()
            for work in (self._beat(), self._send_reports(), self._watch_line(), self._limit_time(), self._open()):
                self._do(work)
            reason = await self._outcome
            watch.stop()
            await self._leave(_FLUSH_S)
            await self._end(reason)
        except NotOurs:
            log.info("call_not_ours")
        except LineBroken:
            await self._leave(_LEAVE_S)
            raise
        finally:
            watch.stop()
            await voice_session.aclose()
            if self._recording is not None:
                await self._recording.finish(0)
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def answer(self, heard: llm.ChatContext) -> AsyncGenerator[str]:
        """The answer to what the caller has said and nobody was told of yet."""
        speech = self._sayings.current()
        fresh = [item for item in heard.messages() if item.role == "user" and item.id not in self._told]
        self._told.update(item.id for item in fresh)
        words = " ".join(filter(None, (item.text_content for item in fresh))).strip()
        if not words or self._closing:
            return
        self._turns += 1
        key = f"{self._claim.call_id}-{self._claim.claim}-{self._turns}"
        turn = Turn(words, key, self._direct)
        saying = self._sayings.of(speech, Saying(turn=turn, delays=dict(fresh[-1].metrics)))
        self._do(self._follow(turn, speech))
        async for piece in turn.pieces():
            saying.text += piece
            yield piece
        if turn.error is not None and not self._outcome.done():
            log.warning("turn_failed", code=turn.error.code, retryable=turn.error.retryable)
            saying.text += phrases.SORRY
            yield phrases.SORRY

    async def _follow(self, turn: Turn, speech: SpeechHandle) -> None:
        # What was not heard of the answer before is out of the history then.
        await self._report.told(_HISTORY_S)
        await turn.follow(self._session)
        if turn.error is not None:
            self._check(turn.error)
        if turn.reply is None:
            return
        await self._line.send(SUMMARY, _summary(self._claim, turn.reply))
        if turn.reply.ended:
            await speech
            if not speech.interrupted:
                self._finish(EndReason.GOODBYE)

    def _direct(self, fields: Mapping[str, Any]) -> None:
        if directions := fields.get("voice_instructions"):
            self._speech.direct(str(directions))

    def _first_words(self) -> str:
        """What `_open` says first."""
        claim = self._claim
        if self._recording is not None:
            return claim.voice.consent
        return claim.greeting or (phrases.CUT_OFF if claim.claim > 1 else "")

    async def _open(self) -> None:
        """The first words: the greeting, or to a caller whose agent was lost what they have not heard. Before either,
        callers who are recorded are told so by every process that records them."""
        claim = self._claim
        if self._recording is not None:
            await self._record_with_consent(self._recording)
        if self._closing:
            return
        if claim.greeting:
            self._say(claim.greeting)
        elif claim.claim > 1:
            self._say(phrases.CUT_OFF)
            await self._repeat()
        else:
            self._mark_answered()

    async def _repeat(self) -> None:
        """What the process before was told to say, and nobody knows that it did."""
        try:
            unspoken = await self._session.unspoken()
        except ApiError as error:
            self._check(error)
            log.warning("nothing_repeated", code=error.code)
            return
        if unspoken.text and not self._closing:
            self._say(unspoken.text, turn_id=unspoken.turn_id)

    async def _record_with_consent(self, recording: Recording) -> None:
        """Say that the call is recorded, and record it from then on if that was spoken to its end."""
        told = await self._say(self._claim.voice.consent, interruptible=False)
        if told.interrupted or told.exception() is not None or not await self._was_spoken():
            log.warning("not_recorded", reason="the consent was not spoken")
        else:
            await recording.start()

    async def _was_spoken(self) -> bool:
        """Whether there was any sound of what was said last: without an error, an engine may still say nothing."""
        speaks = self._voice_session.output.audio
        return speaks is not None and (await speaks.wait_for_playout()).playback_position > 0

    async def _leave(self, within_s: float) -> None:
        """Say no more, and tell the server what it does not know yet."""
        await self._voice_session.aclose()
        unsent = [self._tell_all(within_s)]
        if self._recording is not None:
            unsent.append(self._recording.finish(within_s))
        await asyncio.gather(*unsent)

    def _say(self, text: str, *, turn_id: UUID | None = None, interruptible: bool = True) -> SpeechHandle:
        handle = self._voice_session.say(
            text, allow_interruptions=interruptible and self._claim.voice.interruptible, add_to_chat_ctx=True
        )
        self._sayings.of(handle, Saying(text, turn_id=turn_id))
        return handle

    def _agent_changed(self, event: AgentStateChangedEvent) -> None:
        if event.new_state == "speaking":
            self._mark_answered()

    def _mark_answered(self) -> None:
        if not self._answered:
            self._answered = True
            self._beat_now.set()

    def _transcribed(self, event: UserInputTranscribedEvent) -> None:
        if event.transcript.strip():
            self._silences = 0

    def _silent(self) -> None:
        voice = self._claim.voice
        if self._closing or not self._line.caller_there:
            return
        self._silences += 1
        if self._silences > voice.silences:
            self._do(self._say_goodbye(voice.goodbye or phrases.GOODBYE, EndReason.SILENCE))
        else:
            self._say(voice.silence_prompt or phrases.STILL_THERE)

    async def _limit_time(self) -> None:
        await asyncio.sleep(max(self._claim.ends_in_s, 0))
        if not self._closing:
            goodbye = f"{phrases.OUT_OF_TIME} {self._claim.voice.goodbye or phrases.GOODBYE}"
            await self._say_goodbye(goodbye, EndReason.TIME_LIMIT)

    async def _say_goodbye(self, text: str, reason: EndReason) -> None:
        self._closing = True
        await self._voice_session.interrupt(force=True)
        await self._say(text, interruptible=False)
        self._finish(reason)

    async def _beat(self) -> None:
        while True:
            try:
                beat = await self._session.beat(caller_there=self._line.caller_there, answered=self._answered)
            except ApiError as error:
                self._check(error)
            else:
                if beat.hang_up is not None:
                    self._finish(beat.hang_up)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._beat_now.wait(), _BEAT_S)
            self._beat_now.clear()

    async def _watch_line(self) -> None:
        line, seen = self._line, False
        while not line.broken:
            line.changed.clear()
            seen = seen or line.caller_there
            patience = None if line.caller_there else _RETURN_S if seen else _JOIN_S
            try:
                await asyncio.wait_for(line.changed.wait(), patience)
            except TimeoutError:
                return self._finish(EndReason.CALLER_LEFT if seen else EndReason.NOT_JOINED)
            self._beat_now.set()
        return self._fail(LineBroken())

    async def _send_reports(self) -> None:
        try:
            await self._report.run()
        except ApiError as error:
            self._check(error)

    async def _tell_all(self, within_s: float) -> None:
        if not await self._report.told(within_s):
            log.error("utterances_lost")

    async def _end(self, reason: EndReason) -> None:
        try:
            await self._session.end(reason)
        except ApiError as error:
            if error.code != CallEnded.code:
                raise
        log.info("call_ended", reason=reason.value)

    def _closed(self, event: CloseEvent) -> None:
        if event.reason is CloseReason.ERROR:
            log.error("speech_failed", source=type(event.error).__name__ if event.error else None)
            self._finish(EndReason.ERROR)

    def _check(self, error: ApiError) -> None:
        """What the server says of a call that is not ours any more ends it here."""
        if error.code == CallEnded.code or error.status == 401:
            self._fail(NotOurs())

    def _finish(self, reason: EndReason) -> None:
        self._closing = True
        if not self._outcome.done():
            self._outcome.set_result(reason)

    def _fail(self, error: Exception) -> None:
        self._closing = True
        if not self._outcome.done():
            self._outcome.set_exception(error)

    def _do(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error if isinstance(error, Exception) else LineBroken())


def _summary(claim: Claim, reply: Reply) -> dict[str, Any]:
    return {
        "conversationId": str(claim.conversation_id),
        # Whom the call was handed over to is not known by name here.
        "agent": claim.agent_name if reply.agent_id == claim.agent_id else None,
        "turnId": str(reply.turn_id),
        "variables": dict(reply.variables),
        "missing": list(reply.missing),
        "fields": dict(reply.fields),
        "toolCalls": [{"name": call.name, "status": call.output.get("status", "done")} for call in reply.tool_calls],
        "ended": reply.ended,
    }
