import {
  ConnectionError,
  ConnectionErrorReason,
  DisconnectReason,
  type LocalTrackPublication,
  LogLevel,
  type Participant,
  type RemoteParticipant,
  type RemoteTrack,
  Room,
  RoomEvent,
  setLogLevel,
  type TextStreamReader,
  Track,
} from "livekit-client";
import { LevelMeter } from "../audio/level.ts";
import { CallError, problems } from "../problems.ts";
import { parseAgentState, parseSummary, STATE_ATTRIBUTE, SUMMARY_TOPIC, TRANSCRIPTION_TOPIC } from "../protocol.ts";
import type { CallEvent } from "../state.ts";
import type { Transport, TransportParts } from "./transport.ts";

// Otherwise it tells the console every step, with the names of the room and of who is in it.
setLogLevel(LogLevel.warn);

/** A call in a LiveKit room. */
export class LiveKitTransport implements Transport {
  private readonly room = new Room();
  private publication: LocalTrackPublication | null = null;
  private meter: LevelMeter | null = null;
  private agent: string | null = null;
  private over = false;
  private muted = false;

  constructor(private readonly parts: TransportParts) {
    this.room
      .on(RoomEvent.TrackSubscribed, (track, _, participant) => this.hear(track, participant))
      .on(RoomEvent.TrackUnsubscribed, (track) => {
        for (const element of track.detach()) element.remove();
      })
      .on(RoomEvent.ParticipantConnected, (participant) => this.look(participant))
      .on(RoomEvent.ParticipantAttributesChanged, (_, participant) => this.look(participant))
      .on(RoomEvent.ParticipantDisconnected, ({ identity }) => this.miss(identity))
      .on(RoomEvent.DataReceived, (payload, _, __, topic) => this.read(payload, topic))
      .on(RoomEvent.SignalReconnecting, () => this.tell({ type: "connectionLost", at: Date.now() }))
      .on(RoomEvent.Reconnecting, () => this.tell({ type: "connectionLost", at: Date.now() }))
      .on(RoomEvent.Reconnected, () => this.resume())
      .on(RoomEvent.Disconnected, (reason) => this.disconnected(reason));
    this.room.registerTextStreamHandler(TRANSCRIPTION_TOPIC, (reader, { identity }) => this.write(reader, identity));
  }

  async join(): Promise<void> {
    const { ticket, microphone } = this.parts;
    try {
      await this.room.connect(ticket.serverUrl, ticket.participantToken);
      this.publication = await this.room.localParticipant.publishTrack(microphone.track, {
        source: Track.Source.Microphone,
      });
    } catch (error) {
      const refused = error instanceof ConnectionError && error.reason === ConnectionErrorReason.NotAllowed;
      throw new CallError(refused ? problems.refused : problems.offline);
    }
    this.tell({ type: "joined", starting: false });
    this.setMuted(this.muted);
    for (const participant of this.room.remoteParticipants.values()) this.look(participant);
  }

  setMuted(muted: boolean): void {
    this.muted = muted;
    void (muted ? this.publication?.mute() : this.publication?.unmute());
  }

  leave(): void {
    this.over = true;
    // The microphone is not LiveKit's to close.
    void this.room.disconnect(false);
  }

  agentLevel(): number {
    return this.meter?.read() ?? 0;
  }

  private hear(track: RemoteTrack, participant: RemoteParticipant): void {
    if (track.kind !== Track.Kind.Audio) return;
    document.body.append(track.attach());
    const { context } = this.parts;
    this.meter = new LevelMeter(context, context.createMediaStreamSource(new MediaStream([track.mediaStreamTrack])));
    this.look(participant);
    if (this.agent === null) this.answer(participant, "listening");
  }

  private look(participant: Participant): void {
    const state = parseAgentState(participant.attributes[STATE_ATTRIBUTE]);
    if (!participant.isLocal && state) this.answer(participant, state);
  }

  private answer({ identity }: Participant, state: "listening" | "thinking" | "speaking"): void {
    this.agent = identity;
    this.tell({ type: "agentState", state, at: Date.now() });
  }

  private miss(identity: string): void {
    if (identity !== this.agent) return;
    this.agent = null;
    this.tell({ type: "agentLost" });
  }

  private read(payload: Uint8Array, topic: string | undefined): void {
    const summary = topic === SUMMARY_TOPIC ? parseSummary(new TextDecoder().decode(payload)) : null;
    if (summary) this.tell({ type: "summary", summary });
  }

  /** An agent's segment is one stream that grows; each version of the caller's is a stream of its own. */
  private async write(reader: TextStreamReader, identity: string): Promise<void> {
    const attributes = reader.info.attributes ?? {};
    const id = attributes["lk.segment_id"] ?? reader.info.id;
    const mine = attributes["lk.transcribed_track_id"] === this.publication?.trackSid;
    const role = mine || identity === this.room.localParticipant.identity ? "caller" : "agent";
    let text = "";
    try {
      for await (const piece of reader) {
        text += piece;
        if (role === "agent") this.tell({ type: "transcript", line: { id, role, text, final: false } });
      }
    } catch {
      // Who was writing is gone, or the room is: what came of it was said.
    }
    const final = role === "agent" || attributes["lk.transcription_final"] === "true";
    this.tell({ type: "transcript", line: { id, role, text, final } });
  }

  private resume(): void {
    this.tell({ type: "resumed" });
    for (const participant of this.room.remoteParticipants.values()) this.look(participant);
  }

  private disconnected(reason: DisconnectReason | undefined): void {
    switch (reason) {
      case DisconnectReason.ROOM_DELETED:
      case DisconnectReason.PARTICIPANT_REMOVED:
      case DisconnectReason.ROOM_CLOSED:
        return this.tell({ type: "ended", reason: "" });
      default:
        // Before it has joined, `join` says what went wrong.
        if (this.publication) this.tell({ type: "failed", problem: problems.connectionLost });
    }
  }

  private tell(event: CallEvent): void {
    if (!this.over) this.parts.tell(event);
  }
}
