import { describe, expect, it } from "vitest";
import { Resampler } from "./resampler.ts";

function tone(hz: number, rate: number, seconds: number): Float32Array {
  return Float32Array.from({ length: Math.round(rate * seconds) }, (_, n) => Math.sin((2 * Math.PI * hz * n) / rate));
}

/** In blocks as the browser gives them. */
function resampled(input: Float32Array, from: number, to: number, block = 128): Float32Array {
  const resampler = new Resampler(from, to);
  const pieces: number[] = [];
  for (let at = 0; at < input.length; at += block) pieces.push(...resampler.push(input.subarray(at, at + block)));
  return Float32Array.from(pieces);
}

function rms(samples: Float32Array): number {
  return Math.sqrt(samples.reduce((sum, sample) => sum + sample ** 2, 0) / samples.length);
}

function frequency(samples: Float32Array, rate: number): number {
  let rising = 0;
  for (let n = 1; n < samples.length; n++) if ((samples[n - 1] ?? 0) < 0 && (samples[n] ?? 0) >= 0) rising++;
  return (rising * rate) / samples.length;
}

describe.each([
  [48_000, 16_000],
  [44_100, 16_000],
  [24_000, 48_000],
  [24_000, 44_100],
])("from %i to %i Hz", (from, to) => {
  it("keeps a tone's pitch, level and length", () => {
    const output = resampled(tone(1000, from, 1), from, to);
    expect(Math.abs(output.length - to)).toBeLessThanOrEqual(to / 500);
    expect(frequency(output, to)).toBeCloseTo(1000, -1);
    expect(rms(output.subarray(to / 10))).toBeCloseTo(Math.SQRT1_2, 2);
  });

  it("does not depend on how the input is cut", () => {
    const input = tone(440, from, 0.2);
    expect(resampled(input, from, to, 37)).toEqual(resampled(input, from, to, 4096));
  });
});

it("keeps out what the lower rate cannot hold", () => {
  expect(rms(resampled(tone(11_000, 48_000, 0.5), 48_000, 16_000).subarray(800))).toBeLessThan(0.01);
});

it("passes the same rate through", () => {
  const input = tone(440, 16_000, 0.01);
  expect(new Resampler(16_000, 16_000).push(input)).toBe(input);
});
