import type { Problem } from "./problems.ts";
import type { AgentState, Summary, Transcript } from "./protocol.ts";

export type Phase =
  /** Nothing yet. */
  | "idle"
  /** The microphone is asked for and the call opened. */
  | "connecting"
  /** The call is recorded, and the caller has to agree. */
  | "consent"
  /** In the call, and no agent has been heard of. */
  | "waiting"
  | "live"
  | "reconnecting"
  | "ended"
  | "failed";

export interface CallState {
  phase: Phase;
  agentState: AgentState;
  /** What answers is still being started. */
  starting: boolean;
  /** Nobody has answered for long enough to say so. */
  late: boolean;
  /** The clock's milliseconds when the connection was lost. */
  lostAt: number | null;
  /** The clock's milliseconds when the agent answered first. */
  answeredAt: number | null;
  muted: boolean;
  lines: Transcript[];
  summary: Summary;
  /** Something went wrong that the call goes on after. */
  notice: string | null;
  consentText: string | null;
  problem: Problem | null;
  endReason: string | null;
}

export type CallEvent =
  | { type: "called" }
  | { type: "consentAsked"; text: string }
  | { type: "joining" }
  | { type: "joined"; starting: boolean }
  | { type: "agentState"; state: AgentState; at: number }
  | { type: "agentLost" }
  | { type: "late" }
  | { type: "transcript"; line: Transcript }
  | { type: "summary"; summary: Summary }
  | { type: "connectionLost"; at: number }
  | { type: "resumed" }
  | { type: "muted"; muted: boolean }
  | { type: "notice"; text: string }
  | { type: "ended"; reason: string }
  | { type: "failed"; problem: Problem }
  | { type: "declined" };

export const IDLE: CallState = {
  phase: "idle",
  agentState: "listening",
  starting: false,
  late: false,
  lostAt: null,
  answeredAt: null,
  muted: false,
  lines: [],
  summary: { agent: null, variables: {}, missing: [] },
  notice: null,
  consentText: null,
  problem: null,
  endReason: null,
};

/** Whether a call is going on, so that it can be hung up. */
export function isOngoing({ phase }: CallState): boolean {
  return phase === "connecting" || phase === "waiting" || phase === "live" || phase === "reconnecting";
}

/** The state after an event. What a call that is over still tells changes nothing. */
export function reduce(state: CallState, event: CallEvent): CallState {
  if (event.type === "called") return { ...IDLE, phase: "connecting" };
  if (event.type === "declined") return IDLE;
  if (event.type === "failed") return { ...state, phase: "failed", problem: event.problem };
  if (state.phase === "ended" || state.phase === "failed" || state.phase === "idle") return state;
  switch (event.type) {
    case "consentAsked":
      return { ...state, phase: "consent", consentText: event.text };
    case "joining":
      return { ...state, phase: "connecting" };
    case "joined":
      return state.phase === "live" ? state : { ...state, phase: "waiting", starting: event.starting, lostAt: null };
    case "agentState":
      return {
        ...state,
        phase: "live",
        agentState: event.state,
        starting: false,
        late: false,
        lostAt: null,
        notice: null,
        answeredAt: state.answeredAt ?? event.at,
      };
    case "agentLost":
      return state.phase === "live" ? { ...state, phase: "waiting", late: false } : state;
    case "late":
      return state.phase === "waiting" ? { ...state, late: true } : state;
    case "transcript":
      return { ...state, lines: withLine(state.lines, event.line) };
    case "summary":
      return { ...state, summary: event.summary };
    case "connectionLost":
      return { ...state, phase: "reconnecting", lostAt: event.at };
    case "resumed":
      return { ...state, phase: state.answeredAt === null ? "waiting" : "live", lostAt: null };
    case "muted":
      return { ...state, muted: event.muted };
    case "notice":
      return { ...state, notice: event.text };
    case "ended":
      return { ...state, phase: "ended", endReason: event.reason };
  }
}

function withLine(lines: Transcript[], line: Transcript): Transcript[] {
  const known = lines.findIndex(({ id }) => id === line.id);
  // Interim words may arrive after the final ones of the same segment.
  if (known >= 0 && lines[known]?.final && !line.final) return lines;
  if (known >= 0) return lines.with(known, line);
  return line.text.trim() ? [...lines, line] : lines;
}
