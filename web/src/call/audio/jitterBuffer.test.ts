import { describe, expect, it } from "vitest";
import { JitterBuffer } from "./jitterBuffer.ts";

// At 1000 Hz a sample is a millisecond, and 60 of them are kept back.
const RATE = 1000;
const audio = (samples: number) => new Float32Array(samples).fill(1);

function read(buffer: JitterBuffer, samples: number) {
  const output = new Float32Array(samples);
  const answers = buffer.read(output);
  return { heard: output.filter((sample) => sample !== 0).length, answers };
}

describe("playing", () => {
  it("begins when 60 ms are there", () => {
    const buffer = new JitterBuffer(RATE);
    buffer.push(audio(59));
    expect(read(buffer, 10).heard).toBe(0);
    buffer.push(audio(1));
    expect(read(buffer, 10).heard).toBe(10);
  });

  it("begins without 60 ms when the segment is over, or after as long a wait", () => {
    const ended = new JitterBuffer(RATE);
    ended.push(audio(20));
    ended.mark("a");
    expect(read(ended, 10).heard).toBe(10);

    const late = new JitterBuffer(RATE);
    late.push(audio(20));
    const heard = Array.from({ length: 7 }, () => read(late, 10).heard);
    expect(heard).toEqual([0, 0, 0, 0, 0, 0, 10]);
  });

  it("fills a gap with silence, and waits again before it goes on", () => {
    const buffer = new JitterBuffer(RATE);
    buffer.push(audio(65));
    read(buffer, 60);
    expect(read(buffer, 10).heard).toBe(5);
    buffer.push(audio(30));
    expect(read(buffer, 10).heard).toBe(0);
    buffer.push(audio(30));
    expect(read(buffer, 10).heard).toBe(10);
  });
});

describe("marks", () => {
  it("are answered when what came before them was played", () => {
    const buffer = new JitterBuffer(RATE);
    buffer.push(audio(100));
    expect(buffer.mark("a")).toEqual([]);
    expect(read(buffer, 99).answers).toEqual([]);
    expect(read(buffer, 1).answers).toEqual([{ type: "played", id: "a" }]);
  });

  it("are answered at once where nothing is left to play", () => {
    const buffer = new JitterBuffer(RATE);
    expect(buffer.mark("a")).toEqual([{ type: "played", id: "a" }]);
  });

  it("say what was played of each segment that a clear drops", () => {
    const buffer = new JitterBuffer(RATE);
    buffer.push(audio(100));
    buffer.mark("heard");
    buffer.push(audio(100));
    buffer.mark("cut");
    buffer.push(audio(100));
    buffer.mark("never");
    expect(read(buffer, 140).answers).toEqual([{ type: "played", id: "heard" }]);
    expect(buffer.clear()).toEqual([
      { type: "cleared", id: "cut", playedMs: 40 },
      { type: "cleared", id: "never", playedMs: 0 },
    ]);
    expect(read(buffer, 10).heard).toBe(0);
  });

  it("say so too when the clear came before them", () => {
    const buffer = new JitterBuffer(RATE);
    buffer.push(audio(100));
    read(buffer, 70);
    expect(buffer.clear()).toEqual([]);
    expect(buffer.mark("cut")).toEqual([{ type: "cleared", id: "cut", playedMs: 70 }]);
    expect(buffer.mark("empty")).toEqual([{ type: "played", id: "empty" }]);
  });

  it("of the segment after a clear count from its own beginning", () => {
    const buffer = new JitterBuffer(RATE);
    buffer.push(audio(100));
    read(buffer, 70);
    buffer.clear();
    buffer.push(audio(100));
    buffer.mark("next");
    read(buffer, 25);
    expect(buffer.clear()).toEqual([{ type: "cleared", id: "next", playedMs: 25 }]);
  });
});
