import type { Playback } from "../protocol.ts";

/** What is kept back at the start of a segment and after a gap, so that late frames make no holes. */
const TARGET_S = 0.06;

/** Audio between the network and the speaker, with the marks that end its segments. Counts in samples of `rate` (Hz). */
export class JitterBuffer {
  private readonly target: number;
  private chunks: Float32Array[] = [];
  private offset = 0;
  private received = 0;
  private played = 0;
  private segmentStart = 0;
  private marks: { id: string; at: number }[] = [];
  private playing = false;
  private waited = 0;
  /** How much of the segment was played that was dropped before its mark came; null when there is none. */
  private droppedAfter: number | null = null;

  constructor(private readonly rate: number) {
    this.target = Math.round(TARGET_S * rate);
  }

  /** Audio that is to be played after all that came before. */
  push(samples: Float32Array): void {
    if (samples.length === 0) return;
    this.droppedAfter = null;
    this.chunks.push(samples);
    this.received += samples.length;
  }

  /** The end of a segment. Answers at once where nothing of it is left to play. */
  mark(id: string): Playback[] {
    if (this.droppedAfter !== null) {
      const playedMs = this.toMs(this.droppedAfter);
      this.droppedAfter = null;
      return [{ type: "cleared", id, playedMs }];
    }
    this.marks.push({ id, at: this.received });
    return this.reached();
  }

  /** Drops all that has not been played, and answers the marks in it. */
  clear(): Playback[] {
    const lastMark = this.marks.at(-1)?.at ?? this.segmentStart;
    const cleared = this.marks.map(({ id, at }): Playback => {
      const played = Math.max(0, Math.min(this.played, at) - this.segmentStart);
      this.segmentStart = at;
      return { type: "cleared", id, playedMs: this.toMs(played) };
    });
    if (this.received > lastMark) this.droppedAfter = Math.max(0, this.played - lastMark);
    this.chunks = [];
    this.offset = 0;
    this.marks = [];
    this.received = this.played;
    this.segmentStart = this.played;
    this.playing = false;
    this.waited = 0;
    return cleared;
  }

  /** Fills `output` with what is next, and with silence where there is nothing; answers the marks that were reached. */
  read(output: Float32Array): Playback[] {
    output.fill(0);
    if (!this.mayPlay(output.length)) return [];
    let filled = 0;
    while (filled < output.length) {
      const chunk = this.chunks[0];
      if (!chunk) break;
      const part = chunk.subarray(this.offset, this.offset + output.length - filled);
      output.set(part, filled);
      filled += part.length;
      this.offset += part.length;
      if (this.offset === chunk.length) {
        this.chunks.shift();
        this.offset = 0;
      }
    }
    this.played += filled;
    this.playing = filled === output.length;
    return this.reached();
  }

  private mayPlay(length: number): boolean {
    const buffered = this.received - this.played;
    if (this.playing || buffered === 0) return buffered > 0 || this.stop();
    // A segment that is all there, or no longer than the target, is not waited for any longer.
    this.playing = buffered >= this.target || this.marks.length > 0 || this.waited >= this.target;
    this.waited = this.playing ? 0 : this.waited + length;
    return this.playing;
  }

  private stop(): false {
    this.playing = false;
    return false;
  }

  private reached(): Playback[] {
    const done = this.marks.filter((mark) => mark.at <= this.played);
    this.marks = this.marks.filter((mark) => mark.at > this.played);
    this.segmentStart = done.at(-1)?.at ?? this.segmentStart;
    return done.map(({ id }) => ({ type: "played", id }));
  }

  private toMs(samples: number): number {
    return Math.round((samples * 1000) / this.rate);
  }
}
