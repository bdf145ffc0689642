import type { AgentState, Value } from "./protocol.ts";
import type { CallState } from "./state.ts";

const STATES: Record<AgentState, string> = { listening: "Listening", thinking: "Thinking", speaking: "Speaking" };

const HINTS: Record<AgentState, string> = {
  listening: "Just speak.",
  thinking: "One moment, please.",
  speaking: "You can interrupt at any time.",
};

const ENDINGS: Record<string, string> = {
  caller_left: "You hung up.",
  goodbye: "You said goodbye to each other.",
  silence: "It had been quiet for a while.",
  time_limit: "The call reached its time limit.",
  hung_up: "The other side ended the call.",
  not_joined: "The call was not joined in time.",
  agent_lost: "The agent could not be brought back.",
  error: "Something went wrong on our side.",
};

/** The one line that says how the call is. */
export function statusOf(state: CallState): string {
  switch (state.phase) {
    case "idle":
      return "Ready when you are";
    case "connecting":
      return "Connecting…";
    case "consent":
      return "Before we begin";
    case "waiting":
      if (state.starting) return "Connecting…";
      return state.late ? "Nobody answers yet" : "Calling…";
    case "live":
      return STATES[state.agentState];
    case "reconnecting":
      return "Reconnecting…";
    case "ended":
      return "Call ended";
    case "failed":
      return state.problem?.title ?? "";
  }
}

/** What is said below it; `now` is the clock's milliseconds. */
export function detailOf(state: CallState, now: number): string {
  switch (state.phase) {
    case "idle":
      return "Your browser will ask for the microphone.";
    case "connecting":
      return "Please allow the microphone if you are asked.";
    case "waiting":
      if (state.answeredAt !== null) return "The agent dropped out. Somebody takes over in a moment; nothing is lost.";
      if (state.starting) return "The first call takes a few seconds more.";
      return state.late ? "We keep trying; you can stay on the line." : "You will be greeted in a moment.";
    case "live":
      if (state.notice) return state.notice;
      return state.muted ? "You are muted: nobody hears you." : HINTS[state.agentState];
    case "reconnecting":
      return `The connection was lost ${ago(now - (state.lostAt ?? now))}. Please stay on the line.`;
    case "ended":
      return ENDINGS[state.endReason ?? ""] ?? "";
    case "consent":
      return "";
    case "failed":
      return state.problem?.advice ?? "";
  }
}

/** A variable's name as people write it: lead_email and leadEmail are "Lead email". */
export function labelOf(name: string): string {
  const words = name
    .replace(/([a-z\d])([A-Z])/g, "$1 $2")
    .replace(/[_-]+/g, " ")
    .trim()
    .toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function shownValue(value: Value): string {
  if (typeof value === "boolean") return value ? "Yes" : "No";
  return value === null ? "—" : String(value);
}

/** Minutes and seconds, such as 3:07. */
export function durationOf(ms: number): string {
  const whole = Math.max(0, Math.floor(ms / 1000));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

function ago(ms: number): string {
  const whole = Math.round(ms / 1000);
  if (whole < 1) return "just now";
  return whole === 1 ? "1 second ago" : `${whole} seconds ago`;
}
