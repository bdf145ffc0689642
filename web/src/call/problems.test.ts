import { expect, it } from "vitest";
import { microphoneProblem, problems, ticketProblem } from "./problems.ts";

it.each([
  ["NotAllowedError", problems.microphoneRefused],
  ["NotFoundError", problems.microphoneMissing],
  ["NotReadableError", problems.microphoneBusy],
  ["SomethingNew", problems.unexpected],
])("tells what is wrong with the microphone: %s", (name, problem) => {
  expect(microphoneProblem(new DOMException("", name))).toBe(problem);
});

it("says when to call again after too many calls", () => {
  expect(ticketProblem(429, "12.2", null)).toMatchObject({ retry: true, retryAfterS: 13 });
  expect(ticketProblem(429, null, null)).not.toHaveProperty("retryAfterS");
  expect(ticketProblem(503, "5", null)).toMatchObject({ retry: true, retryAfterS: 5 });
});

it("tells a site that may not call from a fault of ours", () => {
  expect(ticketProblem(403, null, null)).toBe(problems.wrongSite);
  expect(ticketProblem(404, null, null)).toBe(problems.notFound);
  expect(ticketProblem(500, null, { detail: "a trace" })).toBe(problems.unexpected);
  expect(ticketProblem(422, null, { detail: "The agent is archived." })).toMatchObject({
    advice: "The agent is archived.",
    retry: false,
  });
});
