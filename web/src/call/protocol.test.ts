import { describe, expect, it } from "vitest";
import { isFinalClose, parseAgentState, parseMessage, parseSummary, parseTicket } from "./protocol.ts";

describe("messages", () => {
  it.each([
    { type: "ready", callId: "c", resumeToken: "r", starting: true },
    { type: "state", state: "thinking" },
    { type: "transcript", id: "1", role: "caller", text: "hello", final: false },
    { type: "summary", agent: "Peter", variables: { email: "a@b.example", beds: 3, owner: true }, missing: ["date"] },
    { type: "clear" },
    { type: "mark", id: "m" },
    { type: "ended", reason: "goodbye" },
    { type: "error", code: "rate_limited", detail: "Wait.", retryable: true },
  ])("are read: $type", (message) => {
    expect(parseMessage(JSON.stringify(message))).toEqual(message);
  });

  it.each([
    "",
    "not json",
    "[]",
    "null",
    '"clear"',
    '{"type":"unheard_of"}',
    '{"type":"ready","callId":"c"}',
    '{"type":"state","state":"asleep"}',
    '{"type":"transcript","id":"1","role":"someone","text":"x"}',
    '{"type":"mark"}',
  ])("are passed over: %s", (text) => {
    expect(parseMessage(text)).toBeNull();
  });
});

it("takes of a summary what can be shown", () => {
  expect(parseSummary('{"variables":{"a":1,"b":{"c":2}},"missing":["x",3]}')).toEqual({
    agent: null,
    variables: { a: 1 },
    missing: ["x"],
  });
  expect(parseSummary("[]")).toBeNull();
});

it("takes a ticket only with what a call needs", () => {
  const ticket = { transport: "websocket", serverUrl: "ws://h/x", participantToken: "t", callId: "c" };
  expect(parseTicket({ ...ticket, consentText: "" })).toMatchObject({ ...ticket, consentText: null });
  expect(parseTicket({ ...ticket, consentText: "Yes?" })?.consentText).toBe("Yes?");
  expect(parseTicket({ ...ticket, transport: "pigeon" })).toBeNull();
  expect(parseTicket({ ...ticket, participantToken: undefined })).toBeNull();
  expect(parseTicket(null)).toBeNull();
});

it("knows the states of LiveKit's agents", () => {
  expect(["initializing", "idle", "listening", "thinking", "speaking", undefined].map(parseAgentState)).toEqual([
    null,
    "listening",
    "listening",
    "thinking",
    "speaking",
    null,
  ]);
});

it("resumes after any close but a final one", () => {
  expect([1000, 1001, 1006, 1011, 1012, 4000, 4401, 4500].filter(isFinalClose)).toEqual([1000, 4401]);
});
