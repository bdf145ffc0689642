import { describe, expect, it } from "vitest";
import { problems } from "./problems.ts";
import { type CallEvent, type CallState, IDLE, reduce } from "./state.ts";

const after = (...events: CallEvent[]): CallState => events.reduce(reduce, IDLE);
const called: CallEvent[] = [{ type: "called" }, { type: "joined", starting: false }];
const speaking: CallEvent = { type: "agentState", state: "speaking", at: 5 };
const line = (id: string, text: string, final: boolean): CallEvent => ({
  type: "transcript",
  line: { id, role: "caller", text, final },
});

describe("phases", () => {
  it("go from the button to the agent's first state", () => {
    expect(after({ type: "called" }).phase).toBe("connecting");
    expect(after(...called).phase).toBe("waiting");
    expect(after(...called, speaking)).toMatchObject({ phase: "live", agentState: "speaking", answeredAt: 5 });
  });

  it("know what is still being started, until the agent answers", () => {
    const starting: CallEvent[] = [{ type: "called" }, { type: "joined", starting: true }];
    expect(after(...starting)).toMatchObject({ phase: "waiting", starting: true });
    expect(after(...starting, speaking, { type: "agentLost" })).toMatchObject({ phase: "waiting", starting: false });
  });

  it("ask before a call that is recorded", () => {
    const asked: CallEvent[] = [{ type: "called" }, { type: "consentAsked", text: "Recorded." }];
    expect(after(...asked)).toMatchObject({ phase: "consent", consentText: "Recorded." });
    expect(after(...asked, { type: "joining" }).phase).toBe("connecting");
    expect(after(...asked, { type: "declined" })).toEqual(IDLE);
  });

  it("come back from a lost connection to where they were", () => {
    const lost: CallEvent = { type: "connectionLost", at: 9 };
    expect(after(...called, speaking, lost)).toMatchObject({ phase: "reconnecting", lostAt: 9 });
    expect(after(...called, speaking, lost, { type: "resumed" })).toMatchObject({ phase: "live", lostAt: null });
    expect(after(...called, lost, { type: "resumed" }).phase).toBe("waiting");
  });

  it("say that nobody answers, until somebody does", () => {
    expect(after(...called, { type: "late" }).late).toBe(true);
    expect(after(...called, { type: "late" }, speaking).late).toBe(false);
    expect(after(...called, speaking, { type: "late" }).late).toBe(false);
    expect(after(...called, speaking, { type: "agentLost" })).toMatchObject({ phase: "waiting", answeredAt: 5 });
  });

  it("stay at the end, whatever still comes, and begin anew", () => {
    const ended = after(...called, speaking, line("1", "bye", true), { type: "ended", reason: "goodbye" });
    expect(ended).toMatchObject({ phase: "ended", endReason: "goodbye" });
    expect(reduce(ended, speaking)).toBe(ended);
    expect(reduce(ended, { type: "called" }).lines).toEqual([]);
    const failed = after(...called, { type: "failed", problem: problems.connectionLost });
    expect(reduce(failed, { type: "resumed" })).toBe(failed);
  });
});

it("goes on after a notice, which the agent's next state takes away", () => {
  const noticed = after(...called, speaking, { type: "notice", text: "One moment." });
  expect(noticed).toMatchObject({ phase: "live", notice: "One moment." });
  expect(reduce(noticed, speaking).notice).toBeNull();
});

describe("the transcript", () => {
  it("has a growing line once, at its place", () => {
    const { lines } = after(...called, line("1", "I", false), line("2", "Well", true), line("1", "I want", false));
    expect(lines.map(({ text }) => text)).toEqual(["I want", "Well"]);
  });

  it("keeps the final words when interim ones come late, and no empty lines", () => {
    const { lines } = after(...called, line("1", "I want", true), line("1", "I", false), line("2", " ", false));
    expect(lines.map(({ text }) => text)).toEqual(["I want"]);
  });
});
