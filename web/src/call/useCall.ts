import { useEffect, useReducer, useRef, useState } from "react";
import { CallSession } from "./session.ts";
import { type CallState, IDLE, reduce } from "./state.ts";
import type { CallLink } from "./ticket.ts";

export interface CallActions {
  call(): void;
  agree(): void;
  decline(): void;
  setMuted(muted: boolean): void;
  hangUp(): void;
  /** How loud the two sides are now, from 0 to 1. */
  levels(): { caller: number; agent: number };
}

const SILENCE = { caller: 0, agent: 0 };

/** The page's call: its state, and what the caller can do. */
export function useCall(link: CallLink): [CallState, CallActions] {
  const [state, tell] = useReducer(reduce, IDLE);
  const session = useRef<CallSession | null>(null);
  useEffect(() => () => session.current?.hangUp(), []);
  const actions: CallActions = {
    call() {
      session.current = new CallSession(link, tell);
      void session.current.start();
    },
    agree: () => void session.current?.agree(),
    decline: () => session.current?.decline(),
    setMuted: (muted) => session.current?.setMuted(muted),
    hangUp: () => session.current?.hangUp(),
    levels: () => session.current?.levels() ?? SILENCE,
  };
  return [state, actions];
}

/** The clock's milliseconds, anew every second while `running`. */
export function useClock(running: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!running) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [running]);
  return now;
}
