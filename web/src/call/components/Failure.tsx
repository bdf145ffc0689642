import { useEffect, useRef, useState } from "react";
import type { Problem } from "../problems.ts";
import { durationOf } from "../words.ts";

/** Why there is no call, what to do, and when to try again. */
export function Failure({ problem, onRetry }: { problem: Problem; onRetry?: () => void }) {
  const heading = useRef<HTMLHeadingElement>(null);
  const waits = useCountdown(problem);
  useEffect(() => heading.current?.focus(), []);
  return (
    <section className="notice notice-problem" role="alert">
      <h2 ref={heading} tabIndex={-1}>
        {problem.title}
      </h2>
      <p>{problem.advice}</p>
      {problem.retry && onRetry && (
        <div className="notice-actions">
          <button type="button" className="button button-first" disabled={waits > 0} onClick={onRetry}>
            {waits > 0 ? `Call again in ${durationOf(waits * 1000)}` : "Call again"}
          </button>
        </div>
      )}
    </section>
  );
}

/** The seconds that are left of a problem's wait. */
function useCountdown(problem: Problem): number {
  const [left, setLeft] = useState(problem.retryAfterS ?? 0);
  useEffect(() => {
    const until = Date.now() + (problem.retryAfterS ?? 0) * 1000;
    const timer = setInterval(() => setLeft(Math.max(0, Math.ceil((until - Date.now()) / 1000))), 250);
    return () => clearInterval(timer);
  }, [problem]);
  return left;
}
