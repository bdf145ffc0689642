/** Why there is no call, in words for the caller. */
export interface Problem {
  title: string;
  advice: string;
  /** Whether the same call may do better later; with seconds, not before they are over. */
  retry: boolean;
  retryAfterS?: number;
}

/** What ends an attempt to call; always shown. */
export class CallError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.title);
  }
}

export const problems = {
  noSite: {
    title: "This link is not complete",
    advice: "It does not say whom to call. Please open the call from the web site that offered it.",
    retry: false,
  },
  insecure: {
    title: "This page may not use the microphone",
    advice: "Browsers allow it on secure addresses only. Please open the same address with https://.",
    retry: false,
  },
  microphoneRefused: {
    title: "The microphone is blocked",
    advice:
      "Allow the microphone for this page: use the icon beside the address, or the site’s settings in your browser. Then call again.",
    retry: true,
  },
  microphoneMissing: {
    title: "No microphone was found",
    advice: "Connect a microphone or a headset, or switch one on in your system’s sound settings. Then call again.",
    retry: true,
  },
  microphoneBusy: {
    title: "The microphone is busy",
    advice: "Another program is using it. Close other calls or recordings, then call again.",
    retry: true,
  },
  microphoneLost: {
    title: "The microphone was disconnected",
    advice: "Connect it again, then call again.",
    retry: true,
  },
  offline: {
    title: "We could not be reached",
    advice: "Check your internet connection, then call again.",
    retry: true,
  },
  connectionLost: {
    title: "The connection was lost",
    advice: "We tried for a while and could not get it back. Check your internet connection, then call again.",
    retry: true,
  },
  refused: {
    title: "The call was not let in",
    advice: "It may have been waiting for too long. Please call again.",
    retry: true,
  },
  wrongSite: {
    title: "Calls are not allowed from this page",
    advice: "The owner of this site has to add its address to those that may call.",
    retry: false,
  },
  notFound: {
    title: "There is nobody to call here",
    advice: "This link is out of date, or there is a mistake in it. Please open the call from the web site again.",
    retry: false,
  },
  unexpected: {
    title: "The call could not begin",
    advice: "Something went wrong on our side. Please call again in a moment.",
    retry: true,
  },
} satisfies Record<string, Problem>;

/** The problem behind what `getUserMedia` threw. */
export function microphoneProblem(error: unknown): Problem {
  switch (error instanceof DOMException ? error.name : "") {
    case "NotAllowedError":
    case "SecurityError":
      return problems.microphoneRefused;
    case "NotFoundError":
    case "OverconstrainedError":
      return problems.microphoneMissing;
    case "NotReadableError":
    case "AbortError":
      return problems.microphoneBusy;
    default:
      return problems.unexpected;
  }
}

/** The problem behind an answer of the token endpoint that is no ticket. `retryAfter` is its header. */
export function ticketProblem(status: number, retryAfter: string | null, body: unknown): Problem {
  if (status === 429 || (status === 503 && retryAfter)) return { ...tooMany(status), ...waitOf(retryAfter) };
  if (status === 401 || status === 403) return problems.wrongSite;
  if (status === 404) return problems.notFound;
  const detail = (body as { detail?: unknown } | null)?.detail;
  if (status >= 500 || typeof detail !== "string") return problems.unexpected;
  return { title: problems.unexpected.title, advice: detail, retry: false };
}

function tooMany(status: number): Problem {
  return status === 429
    ? { title: "Too many calls just now", advice: "Please wait a little before you call again.", retry: true }
    : { title: "We are not ready yet", advice: "Please wait a little, then call again.", retry: true };
}

function waitOf(retryAfter: string | null): { retryAfterS?: number } {
  const seconds = Number(retryAfter);
  return retryAfter && Number.isFinite(seconds) ? { retryAfterS: Math.max(1, Math.ceil(seconds)) } : {};
}
