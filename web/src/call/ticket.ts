import { CallError, problems, ticketProblem } from "./problems.ts";
import { parseTicket, type Ticket, type TicketRequest } from "./protocol.ts";

const ANSWER_MS = 15_000;

/** What the page's address says about whom to call. */
export interface CallLink {
  site: string;
  purpose: string | null;
  agentId: string | null;
}

/** The link in `?site=…&purpose=…&agent=…`, or null without a site. */
export function linkIn(search: string): CallLink | null {
  const query = new URLSearchParams(search);
  const site = query.get("site");
  return site ? { site, purpose: query.get("purpose"), agentId: query.get("agent") } : null;
}

/** Opens a call. Throws a CallError that says why not. */
export async function requestTicket(link: CallLink): Promise<Ticket> {
  const body: TicketRequest = {
    ...(link.purpose && { purpose: link.purpose }),
    ...(link.agentId && { agentId: link.agentId }),
    metadata: { time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone },
  };
  const answer = await post(link.site, body);
  const data: unknown = await answer.json().catch(() => null);
  if (!answer.ok) throw new CallError(ticketProblem(answer.status, answer.headers.get("Retry-After"), data));
  const ticket = parseTicket(data);
  if (!ticket) throw new CallError(problems.unexpected);
  return ticket;
}

async function post(site: string, body: TicketRequest): Promise<Response> {
  try {
    return await fetch("/api/livekit/token", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Tenantry-Site": site },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
  } catch {
    throw new CallError(problems.offline);
  }
}
