/** A long list that is renewed stretch by stretch without ever being loaded anew. Pure. */

import type { Execution } from "../api/types";

export interface Held {
  rows: readonly Execution[];
  /** The cursor behind the last row; null when the list is whole. */
  next: string | null;
}

/** Newest first, as the API sorts: by start, then by id, both falling. */
export function before(a: Execution, b: Execution): boolean {
  if (a.created_at !== b.created_at) return a.created_at > b.created_at;
  return a.execution_id > b.execution_id;
}

/** Adds the page that follows the last row. */
export function appended(held: Held, page: readonly Execution[], next: string | null): Held {
  const last = held.rows.at(-1);
  const fresh = last ? page.filter((execution) => before(last, execution)) : page;
  return { rows: [...held.rows, ...fresh], next };
}

/**
 * Puts what the API has now in the place of the rows that started from `from` to `to`, both included; null is no bound.
 * Rows which it no longer has there are dropped: they no longer match what is asked for.
 */
export function renewed(held: Held, current: readonly Execution[], from: string | null, to: string | null): Held {
  const above = held.rows.filter((row) => to !== null && row.created_at > to);
  const below = held.rows.filter((row) => from !== null && row.created_at < from);
  const inside = current.filter((execution) => (from === null || execution.created_at >= from) && (to === null || execution.created_at <= to));
  return changed(held, [...above, ...inside, ...below], held.next);
}

/** The same list object when nothing that is shown has changed, so that nothing is drawn again. */
function changed(held: Held, rows: readonly Execution[], next: string | null): Held {
  const same =
    next === held.next &&
    rows.length === held.rows.length &&
    rows.every((row, index) => alike(row, held.rows[index] as Execution));
  return same ? held : { rows, next };
}

/** Whether two looks at one execution are the same to the list. */
export const alike = (a: Execution, b: Execution): boolean =>
  a.execution_id === b.execution_id && a.status === b.status && a.generation === b.generation;

/** An API time moved by microseconds, as seconds since 1970, which the API takes as well. */
export function shifted(time: string, micros: number): string {
  const fraction = /\.(\d{1,6})/.exec(time)?.[1] ?? "";
  const whole = Math.floor(Date.parse(time) / 1000);
  const total = BigInt(whole) * 1_000_000n + BigInt(fraction.padEnd(6, "0")) + BigInt(micros);
  return `${total / 1_000_000n}.${String(total % 1_000_000n).padStart(6, "0")}`;
}
