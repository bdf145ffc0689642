import { useEffect } from "react";
import type { CallState } from "../state.ts";
import type { CallActions } from "../useCall.ts";
import { HangUpIcon, MicrophoneIcon } from "./icons.tsx";

/** Mute (also by the key M) and hang up. */
export function Controls({ state, actions }: { state: CallState; actions: CallActions }) {
  const { muted } = state;
  const toggle = () => actions.setMuted(!muted);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== "m" || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
      toggle();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  });
  return (
    <div className="controls">
      {state.phase !== "connecting" && (
        <button type="button" className="control" aria-pressed={muted} aria-keyshortcuts="M" onClick={toggle}>
          <MicrophoneIcon off={muted} />
          <span>{muted ? "Unmute" : "Mute"}</span>
        </button>
      )}
      <button type="button" className="control control-end" onClick={actions.hangUp}>
        <HangUpIcon />
        <span>{state.phase === "connecting" ? "Cancel" : "Hang up"}</span>
      </button>
    </div>
  );
}
