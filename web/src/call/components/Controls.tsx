import type { CallState } from "../state.ts";
import type { CallActions } from "../useCall.ts";
import { HangUpIcon, MicrophoneIcon } from "./icons.tsx";

/** Mute and hang up. */
export function Controls({ state, actions }: { state: CallState; actions: CallActions }) {
  const { muted } = state;
  return (
    <div className="controls">
      {state.phase !== "connecting" && (
        <button
          type="button"
          className={`control ${muted ? "control-muted" : ""}`}
          onClick={() => actions.setMuted(!muted)}
        >
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
