const FIRST_MS = 500;
const LONGEST_MS = 5_000;
/** For how long a lost connection is tried again. */
export const GIVE_UP_MS = 60_000;

/** When to try a lost connection again: after 0.5 s, then twice as long each time up to 5 s, for a minute in all. */
export class Backoff {
  private next = FIRST_MS;

  /** `lostAt` in ms, of the clock that `delay` is asked with. */
  constructor(private readonly lostAt: number) {}

  /** Milliseconds from `now` to the next try, or null when it is time to give up. */
  delay(now: number): number | null {
    const delay = this.next;
    if (now + delay > this.lostAt + GIVE_UP_MS) return null;
    this.next = Math.min(delay * 2, LONGEST_MS);
    return delay;
  }
}
