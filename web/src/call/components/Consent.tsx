import { useEffect, useRef } from "react";

/** Asks before anything is sent or recorded. */
export function Consent(props: { text: string; onAgree: () => void; onDecline: () => void }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <section className="notice" aria-labelledby="consent-title">
      <h2 id="consent-title" ref={heading} tabIndex={-1}>
        This call is recorded
      </h2>
      <p>{props.text}</p>
      <div className="notice-actions">
        <button type="button" className="button button-first" onClick={props.onAgree}>
          Agree and call
        </button>
        <button type="button" className="button" onClick={props.onDecline}>
          Do not call
        </button>
      </div>
    </section>
  );
}
