import { expect, it } from "vitest";
import { Framer, fromPcm16, toPcm16 } from "./pcm.ts";

it("writes 16 bits, little-endian, and cuts off what is too loud", () => {
  expect([...new Uint8Array(toPcm16(Float32Array.of(0, 1, -1, 2, 0.5)))]).toEqual([
    0, 0, 0xff, 0x7f, 0x01, 0x80, 0xff, 0x7f, 0x00, 0x40,
  ]);
});

it("reads what it wrote, and leaves an odd byte out", () => {
  const samples = fromPcm16(Uint8Array.of(0x00, 0x40, 0x00, 0x80, 0x7f).buffer);
  expect([...samples]).toEqual([0.5, -1]);
});

it("cuts frames of one length from blocks of any", () => {
  const framer = new Framer(4);
  const counted = Float32Array.from({ length: 11 }, (_, n) => n);
  const frames = [...framer.push(counted.subarray(0, 3)), ...framer.push(counted.subarray(3, 11))];
  expect(frames.map((frame) => [...frame])).toEqual([
    [0, 1, 2, 3],
    [4, 5, 6, 7],
  ]);
  expect(framer.push(Float32Array.of(11)).map((frame) => [...frame])).toEqual([[8, 9, 10, 11]]);
});
