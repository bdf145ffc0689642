import { useEffect, useRef } from "react";
import type { CallState } from "../state.ts";
import { isOngoing } from "../state.ts";
import type { CallActions } from "../useCall.ts";
import { PhoneIcon } from "./icons.tsx";

/** The call button; in a call, what moves with the voices. */
export function Orb({ state, actions }: { state: CallState; actions: CallActions }) {
  if (state.phase === "consent" || state.phase === "failed") return null;
  if (isOngoing(state)) return <Voices state={state} actions={actions} />;
  return (
    <button type="button" className="orb orb-button" onClick={actions.call}>
      <PhoneIcon />
      <span>{state.phase === "ended" ? "Call again" : "Call"}</span>
    </button>
  );
}

function Voices({ state, actions }: { state: CallState; actions: CallActions }) {
  const orb = useRef<HTMLDivElement>(null);
  const levels = useRef(actions.levels);
  levels.current = actions.levels;
  useEffect(() => {
    let frame = requestAnimationFrame(function draw() {
      const { caller, agent } = levels.current();
      orb.current?.style.setProperty("--caller", caller.toFixed(3));
      orb.current?.style.setProperty("--agent", agent.toFixed(3));
      frame = requestAnimationFrame(draw);
    });
    return () => cancelAnimationFrame(frame);
  }, []);
  const heard = state.phase === "live" && state.agentState !== "thinking";
  const looks = heard ? state.agentState : "waits";
  return (
    <div ref={orb} className={`voices voices-${looks} ${state.muted ? "voices-muted" : ""}`} aria-hidden="true">
      <div className="orb">
        <i />
        <i />
        <i />
        <i />
        <i />
      </div>
      <div className="meter">
        <div className="meter-level" />
      </div>
    </div>
  );
}
