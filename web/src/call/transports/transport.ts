import type { Microphone } from "../audio/microphone.ts";
import type { Ticket } from "../protocol.ts";
import type { CallEvent } from "../state.ts";

/** What carries a call. It tells what happens in it, and nothing any more after `leave`. */
export interface Transport {
  /** Resolves once the caller's audio can be sent; throws a CallError. */
  join(): Promise<void>;
  setMuted(muted: boolean): void;
  leave(): void;
  /** How loud the agent is, from 0 to 1. */
  agentLevel(): number;
}

export interface TransportParts {
  ticket: Ticket;
  context: AudioContext;
  microphone: Microphone;
  tell: (event: CallEvent) => void;
}
