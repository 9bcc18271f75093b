/** Brings the rows that matter into view: at first what failed or runs, then, while it runs, what comes. */

import { useCallback, useEffect, useRef } from "preact/hooks";

import type { Row } from "./layout";
import { ROW } from "./row";

/** The row that one looks for on opening, -1 for none: while it runs the first under way; else the last that failed. */
export function telling(rows: readonly Row[], live = false): number {
  const busy = rows.findIndex((row) => !row.fold && (row.status === "RUNNING" || row.status === "RETRYING"));
  const waits = live ? rows.findLastIndex((row) => row.status === "OPEN") : -1;
  const failed = rows.findLastIndex((row) => row.status === "FAILED");
  return (live ? [busy, waits, failed] : [failed, busy]).find((number) => number >= 0) ?? -1;
}

interface Followed {
  /** A callback ref for the scrolling element. */
  ref: (element: HTMLElement | null) => void;
  /** To be called when it has been scrolled. */
  look: () => void;
  /** Brings a row into the middle. */
  to: (number: number) => void;
}

/** loading: whether rows are still to come, among them maybe the one that is looked for. */
export function useFollow(rows: readonly Row[], live: boolean, loading: boolean): Followed {
  const box = useRef<HTMLElement | null>(null);
  const begun = useRef(false);
  /** True while one looks at the end: then it stays there as rows come. */
  const atEnd = useRef(false);
  const to = useCallback((number: number) => {
    const element = box.current;
    if (element) element.scrollTop = number * ROW - element.clientHeight / 2;
  }, []);
  useEffect(() => {
    const element = box.current;
    if (!element || !rows.length) return;
    if (!begun.current) {
      const row = telling(rows, live);
      // Whoever has scrolled meanwhile is left where they are.
      begun.current = row >= 0 || !loading || element.scrollTop > 0;
      if (row >= 0 && element.scrollTop === 0) to(row);
    } else if (live && atEnd.current) {
      element.scrollTop = element.scrollHeight;
    }
  }, [rows.length, live, loading]);
  const look = useCallback(() => {
    const element = box.current;
    if (element) atEnd.current = element.scrollTop + element.clientHeight >= element.scrollHeight - ROW;
  }, []);
  return { ref: useCallback((element) => void (box.current = element), []), look, to };
}
