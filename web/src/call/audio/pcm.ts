/** Samples of 16 bits, little-endian, as numbers from -1 to 1. An odd last byte is left out. */
export function fromPcm16(bytes: ArrayBuffer): Float32Array {
  const view = new DataView(bytes);
  return Float32Array.from({ length: bytes.byteLength >> 1 }, (_, index) => view.getInt16(index * 2, true) / 32_768);
}

/** The other way round; what is beyond -1 and 1 is cut off there. */
export function toPcm16(samples: Float32Array): ArrayBuffer {
  const bytes = new ArrayBuffer(samples.length * 2);
  const view = new DataView(bytes);
  samples.forEach((sample, index) => {
    view.setInt16(index * 2, Math.round(Math.max(-1, Math.min(1, sample)) * 32_767), true);
  });
  return bytes;
}

/** Cuts a stream of samples into frames of one length. */
export class Framer {
  private rest = new Float32Array(0);

  constructor(private readonly length: number) {}

  /** The frames that are full now, oldest first. */
  push(samples: Float32Array): Float32Array[] {
    const all = new Float32Array(this.rest.length + samples.length);
    all.set(this.rest);
    all.set(samples, this.rest.length);
    const full = Math.floor(all.length / this.length);
    this.rest = all.slice(full * this.length);
    return Array.from({ length: full }, (_, index) => all.slice(index * this.length, (index + 1) * this.length));
  }
}
