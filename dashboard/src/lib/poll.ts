/** Asking again and again, no faster than the answers come and not at all while nobody looks. */

import { useEffect, useRef, useState } from "preact/hooks";

import { key } from "../api/key";
import { Problem } from "../api/problem";

export interface Polled<T> {
  value: T | null;
  error: Problem | null;
  /** Asks at once, as after a button. */
  refresh: () => void;
}

interface State<T> {
  id: string;
  value: T | null;
  error: Problem | null;
}

/**
 * Calls `ask` now and then every `every(value)` milliseconds; null ends it until `refresh`, 0 goes on at once.
 * `ask` gets what it gave last; as long as it gives the very same, nothing is drawn again.
 * A slow answer stretches the pause to four times what it took. Changing `id` begins anew.
 */
export function usePoll<T>(
  id: string,
  ask: (signal: AbortSignal, held: T | null) => Promise<T>,
  every: (value: T | null) => number | null,
): Polled<T> {
  const [state, setState] = useState<State<T>>({ id, value: null, error: null });
  const latest = useRef({ ask, every });
  latest.current = { ask, every };
  const again = useRef<() => void>(() => undefined);
  const used = key.value;

  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let busy = false;
    let wanted = false;
    let value: T | null = null;

    async function turn(): Promise<void> {
      clearTimeout(timer);
      if (busy || abort.signal.aborted) return;
      busy = true;
      const began = performance.now();
      let error: Problem | null = null;
      try {
        value = await latest.current.ask(abort.signal, value);
      } catch (caught) {
        if (abort.signal.aborted) return;
        error = caught instanceof Problem ? caught : new Problem(0, "page", "The page failed", String(caught));
      }
      busy = false;
      if (abort.signal.aborted) return;
      setState((was) => after(was, id, value, error));
      if (wanted) {
        // Asked for while an answer was on its way, which may not know of what has happened since.
        wanted = false;
        return turn();
      }
      const pause = error ? (passes(error) ? 3000 : null) : latest.current.every(value);
      if (pause !== null) timer = setTimeout(wake, pause && Math.max(pause, 4 * (performance.now() - began)));
    }
    function wake(): void {
      if (document.hidden) timer = setTimeout(wake, 1000);
      else void turn();
    }
    again.current = () => {
      if (busy) wanted = true;
      else void turn();
    };
    void turn();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [id, used]);

  const mine = state.id === id;
  return { value: mine ? state.value : null, error: mine ? state.error : null, refresh: () => again.current() };
}

function after<T>(was: State<T>, id: string, value: T | null, error: Problem | null): State<T> {
  const shown = error ? (was.id === id ? was.value : null) : value;
  return was.id === id && was.value === shown && was.error === error ? was : { id, value: shown, error };
}

/** Whether asking again may help: not after a refusal, but after an outage, or when it was asked too often. */
const passes = ({ status }: Problem): boolean => status < 400 || status >= 500 || status === 408 || status === 429;
