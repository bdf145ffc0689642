import { expect, it } from "vitest";
import { Backoff, GIVE_UP_MS } from "./backoff.ts";

it("doubles from half a second to five, and gives up after a minute", () => {
  const backoff = new Backoff(0);
  const delays: number[] = [];
  for (let now = 0, delay = backoff.delay(now); delay !== null; delay = backoff.delay(now)) {
    delays.push(delay);
    now += delay;
  }
  expect(delays.slice(0, 6)).toEqual([500, 1000, 2000, 4000, 5000, 5000]);
  expect(delays.reduce((sum, delay) => sum + delay)).toBeLessThanOrEqual(GIVE_UP_MS);
  expect(delays.reduce((sum, delay) => sum + delay)).toBeGreaterThan(GIVE_UP_MS - 5000);
});
