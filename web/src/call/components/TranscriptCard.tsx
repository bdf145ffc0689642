import { useEffect, useRef } from "react";
import type { Transcript } from "../protocol.ts";

/** From this far above the end, the caller is reading and is not moved. */
const NEAR_END_PX = 120;

/** What both sides say, while they say it. */
export function TranscriptCard({ lines, agent }: { lines: Transcript[]; agent: string }) {
  const list = useRef<HTMLOListElement>(null);
  const reading = useRef(false);
  useEffect(() => {
    if (!reading.current) list.current?.scrollTo({ top: list.current.scrollHeight });
  }, [lines]);
  useEffect(() => {
    // A phone that is turned shows other lines, and its keyboard or address bar does.
    const toEnd = () => reading.current || list.current?.scrollTo({ top: list.current.scrollHeight });
    addEventListener("resize", toEnd);
    return () => removeEventListener("resize", toEnd);
  }, []);
  const onScroll = () => {
    const { scrollHeight, scrollTop, clientHeight } = list.current as HTMLOListElement;
    reading.current = scrollHeight - scrollTop - clientHeight > NEAR_END_PX;
  };
  const name = (line: Transcript) => (line.role === "agent" ? agent : "You");
  const said = lines.filter((line) => line.final).at(-1);
  return (
    <section className="card transcript" aria-labelledby="transcript-title">
      <h2 id="transcript-title">Transcript</h2>
      {lines.length === 0 && <p className="empty">What is said will appear here.</p>}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: who has no mouse scrolls it by the keyboard. */}
      <ol ref={list} onScroll={onScroll} tabIndex={0} aria-labelledby="transcript-title">
        {lines.map((line) => (
          <li key={line.id} className={`line line-${line.role} ${line.final ? "" : "line-growing"}`}>
            <span className="line-who">{name(line)}</span>
            <p>{line.text}</p>
          </li>
        ))}
      </ol>
      {/* Read out once a line is whole; words that still change are not. */}
      <p className="unseen" aria-live="polite">
        {said && `${name(said)}: ${said.text}`}
      </p>
    </section>
  );
}
