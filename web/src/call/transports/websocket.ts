import { Speaker } from "../audio/speaker.ts";
import { problems } from "../problems.ts";
import {
  CALLER_RATE,
  isFinalClose,
  type PageMessage,
  parseMessage,
  type ServerMessage,
  SUBPROTOCOL,
} from "../protocol.ts";
import { Backoff } from "./backoff.ts";
import type { Transport, TransportParts } from "./transport.ts";

const OPEN_MS = 5_000;
/** Two seconds of audio that could not be sent: the network is gone, though nothing said so. */
const STUCK_BYTES = 2 * 2 * CALLER_RATE;

/** A call over Tenantry's own WebSocket; `protocol.ts` has the wire. */
export class WebSocketTransport implements Transport {
  private socket: WebSocket | null = null;
  private speaker: Speaker | null = null;
  private resumeToken: string | null = null;
  private backoff: Backoff | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private ready = false;
  private over = false;
  private muted = false;
  /** What happened while there was no connection, for when there is one. */
  private unsent: PageMessage[] = [];

  constructor(private readonly parts: TransportParts) {}

  async join(): Promise<void> {
    this.speaker = await Speaker.open(this.parts.context, (playback) => this.send(playback));
    await this.parts.microphone.capture((frame) => this.sendFrame(frame));
    if (this.over) return;
    addEventListener("online", this.retryNow);
    addEventListener("pagehide", this.leave);
    this.connect();
  }

  setMuted(muted: boolean): void {
    this.muted = muted;
    if (this.ready) this.send({ type: "mute", muted });
  }

  readonly leave = (): void => {
    if (this.ready) this.send({ type: "hangup" });
    this.finish();
  };

  agentLevel(): number {
    return this.speaker?.level() ?? 0;
  }

  private connect(): void {
    const { serverUrl, participantToken } = this.parts.ticket;
    const credential = this.resumeToken ? `resume.${this.resumeToken}` : `bearer.${participantToken}`;
    const socket = new WebSocket(serverUrl, [SUBPROTOCOL, credential]);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.timer = setTimeout(() => this.lose(socket), OPEN_MS);
    socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (socket !== this.socket) return;
      if (data instanceof ArrayBuffer) this.speaker?.play(data);
      else this.take(parseMessage(data));
    };
    socket.onclose = ({ code }) => {
      if (socket !== this.socket) return;
      if (!isFinalClose(code)) this.lose(socket);
      else if (code === 1000) this.end({ type: "ended", reason: "" });
      else this.end({ type: "failed", problem: problems.refused });
    };
  }

  private take(message: ServerMessage | null): void {
    switch (message?.type) {
      case "ready":
        return this.begin(message);
      case "state":
        return this.parts.tell({ type: "agentState", state: message.state, at: Date.now() });
      case "transcript": {
        const { type, ...line } = message;
        return this.parts.tell({ type, line });
      }
      case "summary": {
        const { type, ...summary } = message;
        return this.parts.tell({ type, summary });
      }
      case "clear":
        return this.speaker?.clear();
      case "mark":
        return this.speaker?.mark(message.id);
      case "ended":
        return this.end({ type: "ended", reason: message.reason });
      case "error":
        if (message.retryable) return this.parts.tell({ type: "notice", text: message.detail });
        return this.end({ type: "failed", problem: { ...problems.unexpected, advice: message.detail, retry: true } });
    }
  }

  private begin({ resumeToken, starting }: ServerMessage & { type: "ready" }): void {
    clearTimeout(this.timer);
    const again = this.resumeToken !== null;
    this.resumeToken = resumeToken;
    this.ready = true;
    this.backoff = null;
    this.parts.tell(again ? { type: "resumed" } : { type: "joined", starting });
    const unsent = this.unsent;
    this.unsent = [];
    for (const message of unsent) this.send(message);
    if (this.muted) this.send({ type: "mute", muted: true });
  }

  /** Gives a connection up, and tries another after a while. */
  private lose(socket: WebSocket): void {
    if (this.over || socket !== this.socket) return;
    this.drop();
    this.ready = false;
    const now = Date.now();
    if (!this.backoff) {
      this.backoff = new Backoff(now);
      if (this.resumeToken) this.parts.tell({ type: "connectionLost", at: now });
    }
    const delay = this.backoff.delay(now);
    if (delay === null)
      return this.end({ type: "failed", problem: this.resumeToken ? problems.connectionLost : problems.offline });
    this.timer = setTimeout(() => this.connect(), delay);
  }

  private readonly retryNow = (): void => {
    if (this.over || this.socket) return;
    clearTimeout(this.timer);
    this.connect();
  };

  private sendFrame(frame: ArrayBuffer): void {
    if (!this.ready || !this.socket) return;
    if (this.socket.bufferedAmount > STUCK_BYTES) this.lose(this.socket);
    else if (this.socket.readyState === WebSocket.OPEN) this.socket.send(frame);
  }

  private send(message: PageMessage): void {
    if (this.ready && this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
    else if (message.type === "played" || message.type === "cleared") this.unsent.push(message);
  }

  private end(event: Parameters<TransportParts["tell"]>[0]): void {
    this.parts.tell(event);
    this.finish();
  }

  private finish(): void {
    this.over = true;
    removeEventListener("online", this.retryNow);
    removeEventListener("pagehide", this.leave);
    this.drop();
  }

  private drop(): void {
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    socket?.close(1000);
  }
}
