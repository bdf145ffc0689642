import { Microphone } from "./audio/microphone.ts";
import { CallError, problems } from "./problems.ts";
import type { Ticket } from "./protocol.ts";
import type { CallEvent } from "./state.ts";
import { type CallLink, requestTicket } from "./ticket.ts";
import type { Transport, TransportParts } from "./transports/transport.ts";
import { WebSocketTransport } from "./transports/websocket.ts";

/** How long a caller waits for an agent before the page says that nobody answers. */
const LATE_MS = 10_000;

/** One call of this page, from the button to its end. What happens is told to `tell`. */
export class CallSession {
  private readonly context = new AudioContext();
  private microphone: Microphone | null = null;
  private ticket: Ticket | null = null;
  private transport: Transport | null = null;
  private late: ReturnType<typeof setTimeout> | undefined;
  private over = false;

  /** To be made in the handler of a click, or the browser keeps its audio silent. */
  constructor(
    private readonly link: CallLink,
    private readonly tell: (event: CallEvent) => void,
  ) {}

  async start(): Promise<void> {
    this.tell({ type: "called" });
    await this.attempt(async () => {
      // The microphone first: without it no call is opened that nobody joins.
      this.microphone = await Microphone.open(this.context);
      this.microphone.whenLost(() => this.happened({ type: "failed", problem: problems.microphoneLost }));
      if (this.over) return this.close();
      this.ticket = await requestTicket(this.link);
      if (this.over) return;
      if (this.ticket.consentText) this.tell({ type: "consentAsked", text: this.ticket.consentText });
      else await this.join();
    });
  }

  /** The caller agrees to what the ticket asks. */
  async agree(): Promise<void> {
    this.tell({ type: "joining" });
    await this.attempt(() => this.join());
  }

  decline(): void {
    this.close();
    this.tell({ type: "declined" });
  }

  setMuted(muted: boolean): void {
    this.microphone?.setMuted(muted);
    this.transport?.setMuted(muted);
    this.tell({ type: "muted", muted });
  }

  hangUp(): void {
    this.close();
    this.tell({ type: "ended", reason: "caller_left" });
  }

  /** How loud the two sides are, from 0 to 1. */
  levels(): { caller: number; agent: number } {
    return { caller: this.microphone?.level() ?? 0, agent: this.transport?.agentLevel() ?? 0 };
  }

  private async join(): Promise<void> {
    const { ticket, microphone, context } = this;
    if (!ticket || !microphone || this.over) return;
    this.transport = await transportFor({ ticket, microphone, context, tell: (event) => this.happened(event) });
    if (this.over) return;
    await this.transport.join();
  }

  private happened(event: CallEvent): void {
    if (this.over) return;
    if (event.type === "joined" || event.type === "agentLost") {
      clearTimeout(this.late);
      const starting = event.type === "joined" && event.starting;
      if (!starting) this.late = setTimeout(() => this.happened({ type: "late" }), LATE_MS);
    }
    if (event.type === "agentState") clearTimeout(this.late);
    this.tell(event);
    if (event.type === "ended" || event.type === "failed") this.close();
  }

  private async attempt(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      if (!(error instanceof CallError)) console.error(error);
      this.happened({ type: "failed", problem: error instanceof CallError ? error.problem : problems.unexpected });
    }
  }

  private close(): void {
    this.over = true;
    clearTimeout(this.late);
    this.transport?.leave();
    this.microphone?.close();
    if (this.context.state !== "closed") void this.context.close();
  }
}

async function transportFor(parts: TransportParts): Promise<Transport> {
  if (parts.ticket.transport === "websocket") return new WebSocketTransport(parts);
  const { LiveKitTransport } = await import("./transports/livekit.ts");
  return new LiveKitTransport(parts);
}
