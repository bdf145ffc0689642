import type { Summary } from "../protocol.ts";
import { labelOf, shownValue } from "../words.ts";

/** What is known by now, what of it the caller has still to confirm, and what will still be asked. */
export function SummaryCard({ summary }: { summary: Summary }) {
  const known = Object.entries(summary.variables);
  const unknown = summary.missing.filter((name) => !(name in summary.variables));
  return (
    <section className="card summary" aria-labelledby="summary-title">
      <h2 id="summary-title">Summary</h2>
      {known.length === 0 && <p className="empty">What you tell us is noted here.</p>}
      <dl>
        {known.map(([name, value]) => (
          <div key={name}>
            <dt>{labelOf(name)}</dt>
            <dd>{shownValue(value)}</dd>
            {summary.missing.includes(name) && <dd className="unconfirmed">To be confirmed</dd>}
          </div>
        ))}
      </dl>
      {unknown.length > 0 && (
        <>
          <h3>Still to come</h3>
          <ul>
            {unknown.map((name) => (
              <li key={name}>{labelOf(name)}</li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}
