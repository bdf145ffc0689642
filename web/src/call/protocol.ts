/**
 * The wire of a call, in one place.
 *
 * `POST /api/livekit/token` (header `X-Tenantry-Site`) answers a `Ticket`. Where its `transport` is "websocket", the page
 * opens `new WebSocket(serverUrl, [SUBPROTOCOL, "bearer." + participantToken])`, and after a broken connection the same
 * address with "resume." + the last `resumeToken` in place of bearer. Binary frames to the server are PCM16 LE mono at
 * 16 kHz, 20 ms each; binary frames from it are PCM16 LE mono at 24 kHz of any length. Text frames are the messages below.
 * A close code of 4400 to 4499, like an `error` that is not `retryable`, is final; after any other close the page resumes.
 *
 * Each `mark` ends a segment of the server's audio. The page answers it once: `played` when the speaker has reached it, or
 * `cleared` with how much of its segment was played, when a `clear` dropped the rest. A `clear` in the middle of a segment
 * whose mark has not come yet is answered when that mark comes.
 *
 * In a LiveKit room the same things come as text streams of `TRANSCRIPTION_TOPIC`, data of `SUMMARY_TOPIC` (the JSON of a
 * `summary`), and the agent's attribute `STATE_ATTRIBUTE`.
 */

export const SUBPROTOCOL = "tenantry.call.v1";
export const CALLER_RATE = 16_000;
export const CALLER_FRAME = CALLER_RATE / 50;
export const AGENT_RATE = 24_000;
export const TRANSCRIPTION_TOPIC = "lk.transcription";
export const SUMMARY_TOPIC = "conversation-summary";
export const STATE_ATTRIBUTE = "lk.agent.state";

export interface TicketRequest {
  purpose?: string;
  agentId?: string;
  user_details?: Record<string, string>;
  metadata: { time_zone: string };
}

export interface Ticket {
  transport: "livekit" | "websocket";
  serverUrl: string;
  roomName: string;
  participantName: string;
  participantToken: string;
  callId: string;
  /** Set where the call is recorded: nothing is sent before the caller has agreed to it. */
  consentText: string | null;
}

export type AgentState = "listening" | "thinking" | "speaking";
export type Role = "agent" | "caller";
export type Value = string | number | boolean | null;

/** What one side says. The same `id` comes again while it grows, each time with the whole text. */
export interface Transcript {
  id: string;
  role: Role;
  text: string;
  final: boolean;
}

/** What is known of the conversation by now; `missing` are the names that the agent still has to ask for. */
export interface Summary {
  agent: string | null;
  variables: Record<string, Value>;
  missing: string[];
}

export type ServerMessage =
  /** The socket is open; `starting` while the server still loads what its first call needs. */
  | { type: "ready"; callId: string; resumeToken: string; starting: boolean }
  | { type: "state"; state: AgentState }
  | ({ type: "transcript" } & Transcript)
  | ({ type: "summary" } & Summary)
  | { type: "clear" }
  | { type: "mark"; id: string }
  | { type: "ended"; reason: string }
  | { type: "error"; code: string; detail: string; retryable: boolean };

export type Playback = { type: "played"; id: string } | { type: "cleared"; id: string; playedMs: number };

export type PageMessage = Playback | { type: "hangup" } | { type: "mute"; muted: boolean };

/** The message in a text frame, or null for one that this page does not know, which is to be passed over. */
export function parseMessage(text: string): ServerMessage | null {
  const data = parseObject(text);
  if (!data) return null;
  switch (data.type) {
    case "ready":
      return allText(data.callId, data.resumeToken)
        ? {
            type: "ready",
            callId: String(data.callId),
            resumeToken: String(data.resumeToken),
            starting: data.starting === true,
          }
        : null;
    case "state":
      return isState(data.state) ? { type: "state", state: data.state } : null;
    case "transcript":
      return allText(data.id, data.text) && isRole(data.role)
        ? {
            type: "transcript",
            id: String(data.id),
            role: data.role,
            text: String(data.text),
            final: data.final === true,
          }
        : null;
    case "summary":
      return { type: "summary", ...summaryOf(data) };
    case "clear":
      return { type: "clear" };
    case "mark":
      return allText(data.id) ? { type: "mark", id: String(data.id) } : null;
    case "ended":
      return { type: "ended", reason: asText(data.reason) };
    case "error":
      return {
        type: "error",
        code: asText(data.code),
        detail: asText(data.detail),
        retryable: data.retryable === true,
      };
    default:
      return null;
  }
}

/** The summary in a data message's JSON, or null where it is no object. */
export function parseSummary(text: string): Summary | null {
  const data = parseObject(text);
  return data && summaryOf(data);
}

/** The ticket in the token endpoint's answer, or null where something that a call needs is missing. */
export function parseTicket(data: unknown): Ticket | null {
  if (!isObject(data) || (data.transport !== "livekit" && data.transport !== "websocket")) return null;
  if (!allText(data.serverUrl, data.participantToken, data.callId)) return null;
  return {
    transport: data.transport,
    serverUrl: String(data.serverUrl),
    roomName: asText(data.roomName),
    participantName: asText(data.participantName),
    participantToken: String(data.participantToken),
    callId: String(data.callId),
    consentText: asText(data.consentText) || null,
  };
}

/** The state that an agent's attribute names; "idle" is one that listens, and one that starts has none yet. */
export function parseAgentState(attribute: string | undefined): AgentState | null {
  if (attribute === "idle") return "listening";
  return isState(attribute) ? attribute : null;
}

/** Whether a socket that closed with this code is not to be opened again. */
export function isFinalClose(code: number): boolean {
  return code === 1000 || (code >= 4400 && code < 4500);
}

function summaryOf(data: Record<string, unknown>): Summary {
  const given = isObject(data.variables) ? Object.entries(data.variables) : [];
  return {
    agent: asText(data.agent) || null,
    variables: Object.fromEntries(given.filter((pair): pair is [string, Value] => isValue(pair[1]))),
    missing: Array.isArray(data.missing) ? data.missing.filter((name) => typeof name === "string") : [],
  };
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const data: unknown = JSON.parse(text);
    return isObject(data) ? data : null;
  } catch {
    return null;
  }
}

function isObject(data: unknown): data is Record<string, unknown> {
  return typeof data === "object" && data !== null && !Array.isArray(data);
}

function isState(data: unknown): data is AgentState {
  return data === "listening" || data === "thinking" || data === "speaking";
}

function isRole(data: unknown): data is Role {
  return data === "agent" || data === "caller";
}

function isValue(data: unknown): data is Value {
  return data === null || ["string", "number", "boolean"].includes(typeof data);
}

function allText(...data: unknown[]): boolean {
  return data.every((one) => typeof one === "string");
}

function asText(data: unknown): string {
  return typeof data === "string" ? data : "";
}
