import { expect, it } from "vitest";
import { levelOf } from "./level.ts";

it("goes from silence to full scale, evenly to the ear", () => {
  expect(levelOf(new Float32Array(64))).toBe(0);
  expect(levelOf(new Float32Array(64).fill(1))).toBe(1);
  expect(levelOf(new Float32Array(64).fill(0.0316))).toBeCloseTo(0.5, 2);
});
