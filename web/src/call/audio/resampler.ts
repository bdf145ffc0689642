/** Sinc lobes to each side of the filter's middle, at the lower of the two rates. */
const LOBES = 12;
/** Of the lower rate's band, what the filter lets through; the rest is where it falls off. */
const PASS = 0.92;

/**
 * Streaming change of the sample rate: a polyphase, Hann-windowed sinc that also keeps out what the lower rate cannot hold.
 *
 * Its output is late by `LOBES` samples of the lower rate (0.75 ms at 16 kHz).
 */
export class Resampler {
  private readonly up: number;
  private readonly down: number;
  private readonly taps: number;
  private readonly phases: Float32Array[];
  private history: Float32Array;
  /** Where the next output is: in whole input samples from the start of `history`, and in steps of 1/`up` beyond. */
  private at = 0;
  private phase = 0;

  /** `from` and `to` in whole Hz. */
  constructor(from: number, to: number) {
    const common = greatestCommonDivisor(from, to);
    this.up = to / common;
    this.down = from / common;
    const widest = Math.max(1, from / to);
    const half = Math.ceil(LOBES * widest);
    this.taps = 2 * half;
    this.phases = Array.from({ length: this.up }, (_, phase) => filter(half, phase / this.up, widest));
    this.history = new Float32Array(this.taps - 1);
  }

  /** The outputs that `samples`, after all that came before, are enough for. */
  push(samples: Float32Array): Float32Array {
    if (this.up === this.down) return samples;
    const input = new Float32Array(this.history.length + samples.length);
    input.set(this.history);
    input.set(samples, this.history.length);
    const room = input.length - this.taps - this.at;
    const output = new Float32Array(room < 0 ? 0 : Math.floor(((room + 1) * this.up - 1 - this.phase) / this.down) + 1);
    for (let index = 0; index < output.length; index++) {
      output[index] = dot(this.phases[this.phase] as Float32Array, input, this.at);
      this.phase += this.down;
      this.at += Math.floor(this.phase / this.up);
      this.phase %= this.up;
    }
    const used = Math.min(this.at, input.length);
    this.history = input.slice(used);
    this.at -= used;
    return output;
  }
}

function filter(half: number, offset: number, widest: number): Float32Array {
  const taps = Float32Array.from({ length: 2 * half }, (_, tap) => {
    const distance = tap - half + 1 - offset;
    const window = Math.abs(distance) >= half ? 0 : 0.5 + 0.5 * Math.cos((Math.PI * distance) / half);
    return sinc((PASS * distance) / widest) * window;
  });
  const sum = taps.reduce((total, tap) => total + tap, 0);
  return taps.map((tap) => tap / sum);
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

function dot(taps: Float32Array, input: Float32Array, from: number): number {
  let sum = 0;
  for (let tap = 0; tap < taps.length; tap++) sum += (taps[tap] as number) * (input[from + tap] as number);
  return sum;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
