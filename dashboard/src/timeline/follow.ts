/** Brings the rows that matter into view: at first what failed or runs, then, while it runs, what comes. */

import { useCallback, useEffect, useRef } from "preact/hooks";

import type { Row } from "./layout";
import { ROW } from "./row";

/** The row that one looks for on opening: the last that failed, else the first under way; -1 for none. */
export function telling(rows: readonly Row[]): number {
  const failed = rows.findLastIndex((row) => row.status === "FAILED");
  return failed >= 0 ? failed : rows.findIndex((row) => row.status === "RUNNING" || row.status === "RETRYING");
}

/** A callback ref for the scrolling element, and what to call when it has been scrolled. */
export function useFollow(rows: readonly Row[], live: boolean): [(element: HTMLElement | null) => void, () => void] {
  const box = useRef<HTMLElement | null>(null);
  const begun = useRef(false);
  /** True while one looks at the end: then it stays there as rows come. */
  const atEnd = useRef(false);
  useEffect(() => {
    const element = box.current;
    if (!element || !rows.length) return;
    if (!begun.current) {
      begun.current = true;
      const row = telling(rows);
      if (row >= 0) element.scrollTop = row * ROW - element.clientHeight / 2;
    } else if (live && atEnd.current) {
      element.scrollTop = element.scrollHeight;
    }
  }, [rows.length, live]);
  const look = useCallback(() => {
    const element = box.current;
    if (element) atEnd.current = element.scrollTop + element.clientHeight >= element.scrollHeight - ROW;
  }, []);
  return [useCallback((element) => void (box.current = element), []), look];
}
