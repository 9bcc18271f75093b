/** Looks at an execution as soon as something of it changes: the server holds a request until then. */

import { useEffect, useRef, useState } from "preact/hooks";

import { changesOf } from "../api/client";
import { key } from "../api/key";

const HIDDEN = 1000;

/**
 * Calls `changed` after each change of an execution while `live`. Returns whether the server tells of changes: an
 * earlier version does not, and a page that cannot reach it must poll. Nothing is asked while nobody looks.
 */
export function useChanges(id: string, live: boolean, changed: () => void): boolean {
  const [tells, setTells] = useState(false);
  const latest = useRef(changed);
  latest.current = changed;
  const used = key.value;

  useEffect(() => {
    if (!live) return;
    const abort = new AbortController();

    async function follow(): Promise<void> {
      let after: string | null = null;
      while (!abort.signal.aborted) {
        if (document.hidden) {
          await new Promise((resolve) => setTimeout(resolve, HIDDEN));
          continue;
        }
        const page = await changesOf(id, after, abort.signal);
        if (abort.signal.aborted) return;
        if (after !== null && page.events.length > 0) latest.current();
        after = page.after;
        setTells(true);
        if (page.ended) return;
      }
    }
    follow().catch(() => {
      if (!abort.signal.aborted) setTells(false);
    });
    return () => {
      abort.abort();
      setTells(false);
    };
  }, [id, live, used]);

  return tells;
}
