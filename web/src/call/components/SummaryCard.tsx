import type { Summary } from "../protocol.ts";
import { labelOf, shownValue } from "../words.ts";

/** What is known by now, and what will still be asked. */
export function SummaryCard({ summary }: { summary: Summary }) {
  const known = Object.entries(summary.variables);
  return (
    <section className="card summary" aria-labelledby="summary-title">
      <h2 id="summary-title">Summary</h2>
      {known.length === 0 && <p className="empty">What you tell us is noted here.</p>}
      <dl>
        {known.map(([name, value]) => (
          <div key={name}>
            <dt>{labelOf(name)}</dt>
            <dd>{shownValue(value)}</dd>
          </div>
        ))}
      </dl>
      {summary.missing.length > 0 && (
        <>
          <h3>Still to come</h3>
          <ul>
            {summary.missing.map((name) => (
              <li key={name}>{labelOf(name)}</li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}
