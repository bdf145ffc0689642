import { useEffect, useRef } from "react";
import { Consent } from "./components/Consent.tsx";
import { Controls } from "./components/Controls.tsx";
import { Failure } from "./components/Failure.tsx";
import { Orb } from "./components/Orb.tsx";
import { SummaryCard } from "./components/SummaryCard.tsx";
import { TranscriptCard } from "./components/TranscriptCard.tsx";
import { isOngoing } from "./state.ts";
import type { CallLink } from "./ticket.ts";
import { useCall, useClock } from "./useCall.ts";
import { detailOf, durationOf, statusOf } from "./words.ts";

/** The whole page: the call, what is said, and what is known by now. */
export function CallPage({ link }: { link: CallLink }) {
  const [state, actions] = useCall(link);
  const ongoing = isOngoing(state);
  const now = useClock(ongoing);
  const talked = state.answeredAt !== null || state.lines.length > 0;
  const agent = state.summary.agent ?? "Agent";
  const heading = useRef<HTMLHeadingElement>(null);
  // The button that was pressed is gone, and with it the place of who uses the keyboard.
  useEffect(() => {
    if (state.phase !== "idle" && document.activeElement === document.body) heading.current?.focus();
  }, [state.phase]);
  return (
    <main className={`page ${talked ? "page-talked" : "page-quiet"}`}>
      <section className="stage" aria-label="Call">
        <header className="who">
          <h1 ref={heading} tabIndex={-1}>
            {state.summary.agent ?? "Talk to us"}
          </h1>
          {ongoing && state.answeredAt !== null && <time>{durationOf(now - state.answeredAt)}</time>}
        </header>
        <Orb state={state} actions={actions} />
        {state.phase === "failed" && state.problem && <Failure problem={state.problem} onRetry={actions.call} />}
        {state.phase === "consent" && (
          <Consent text={state.consentText ?? ""} onAgree={actions.agree} onDecline={actions.decline} />
        )}
        {state.phase !== "failed" && state.phase !== "consent" && (
          <div className="status">
            {/* Read out as it changes; the detail counts seconds and is not. */}
            <p className="status-line" role="status">
              {statusOf(state)}
            </p>
            <p className="status-detail">{detailOf(state, now)}</p>
          </div>
        )}
        {ongoing && <Controls state={state} actions={actions} />}
      </section>
      {talked && <TranscriptCard lines={state.lines} agent={agent} />}
      {talked && <SummaryCard summary={state.summary} />}
    </main>
  );
}
