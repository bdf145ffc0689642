import { expect, it } from "vitest";
import { IDLE } from "./state.ts";
import { detailOf, durationOf, labelOf, shownValue } from "./words.ts";

it("writes names and values as people do", () => {
  expect(["lead_email", "leadEmail", "date"].map(labelOf)).toEqual(["Lead email", "Lead email", "Date"]);
  expect([true, false, null, 3, "x"].map(shownValue)).toEqual(["Yes", "No", "—", "3", "x"]);
  expect([0, 59_999, 61_000].map(durationOf)).toEqual(["0:00", "0:59", "1:01"]);
});

it("says for how long the connection is lost", () => {
  expect(detailOf({ ...IDLE, phase: "reconnecting", lostAt: 1000 }, 8000)).toContain("7 seconds ago");
});
