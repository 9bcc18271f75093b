/** What becomes of executions after they were resumed here. */

import type { Statuses, StatusOf } from "../api/types";

/** What the API takes in one request. */
const MOST = 1000;

/** What the API told last, by id. */
export type KnownStatuses = ReadonlyMap<string, StatusOf>;
/** By id, the generation before it was resumed. */
export type Generations = ReadonlyMap<string, number>;
type Ask = (ids: readonly string[], signal?: AbortSignal) => Promise<Statuses>;

export interface Tally {
  running: number;
  succeeded: number;
  again: number;
  cancelled: number;
}

/** Whether it is FAILED once more, and not still as it was when it was resumed. Pure. */
export const failedAgain = (status: StatusOf | undefined, before: number): boolean =>
  status?.status === "FAILED" && status.generation > before;

const settled = (status: StatusOf | undefined, before: number): boolean =>
  status?.status === "SUCCEEDED" || status?.status === "CANCELLED" || failedAgain(status, before);

/** How the resumed ones stand; one of which nothing is known yet runs. Pure. */
export function tallyOf(resumed: Generations, statuses: KnownStatuses): Tally {
  const tally: Tally = { running: 0, succeeded: 0, again: 0, cancelled: 0 };
  for (const [id, before] of resumed) {
    const status = statuses.get(id);
    if (!settled(status, before)) tally.running++;
    else if (status?.status === "SUCCEEDED") tally.succeeded++;
    else if (status?.status === "CANCELLED") tally.cancelled++;
    else tally.again++;
  }
  return tally;
}

/** Asks how executions stand, however many. */
export async function statusesOfAll(ids: readonly string[], ask: Ask, signal?: AbortSignal): Promise<StatusOf[]> {
  const statuses: StatusOf[] = [];
  for (let at = 0; at < ids.length; at += MOST) statuses.push(...(await ask(ids.slice(at, at + MOST), signal)).executions);
  return statuses;
}

/** Asks for those that have not ended; what is known of the others stays. */
export async function followed(resumed: Generations, known: KnownStatuses, ask: Ask, signal?: AbortSignal): Promise<KnownStatuses> {
  const open = [...resumed].filter(([id, before]) => !settled(known.get(id), before)).map(([id]) => id);
  if (!open.length) return known;
  const next = new Map(known);
  for (const status of await statusesOfAll(open, ask, signal)) next.set(status.execution_id, status);
  return next;
}
