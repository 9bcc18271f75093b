/** What becomes of executions after they were resumed here. */

import type { Statuses, StatusOf } from "../api/types";

/** What the API takes in one request. */
const MOST = 1000;

/** What the API told last, by id. */
export type Told = ReadonlyMap<string, StatusOf>;
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
export const failedAgain = (one: StatusOf | undefined, before: number): boolean =>
  one?.status === "FAILED" && one.generation > before;

const settled = (one: StatusOf | undefined, before: number): boolean =>
  one?.status === "SUCCEEDED" || one?.status === "CANCELLED" || failedAgain(one, before);

/** How the resumed ones stand; one of which nothing is known yet runs. Pure. */
export function tallyOf(resumed: Generations, told: Told): Tally {
  const tally: Tally = { running: 0, succeeded: 0, again: 0, cancelled: 0 };
  for (const [id, before] of resumed) {
    const one = told.get(id);
    if (!settled(one, before)) tally.running++;
    else if (one?.status === "SUCCEEDED") tally.succeeded++;
    else if (one?.status === "CANCELLED") tally.cancelled++;
    else tally.again++;
  }
  return tally;
}

/** Asks how executions stand, however many. */
export async function statusesOfAll(ids: readonly string[], ask: Ask, signal?: AbortSignal): Promise<StatusOf[]> {
  const found: StatusOf[] = [];
  for (let at = 0; at < ids.length; at += MOST) found.push(...(await ask(ids.slice(at, at + MOST), signal)).executions);
  return found;
}

/** Asks for those that have not ended; what is known of the others stays. */
export async function followed(resumed: Generations, told: Told, ask: Ask, signal?: AbortSignal): Promise<Told> {
  const open = [...resumed].filter(([id, before]) => !settled(told.get(id), before)).map(([id]) => id);
  if (!open.length) return told;
  const next = new Map(told);
  for (const one of await statusesOfAll(open, ask, signal)) next.set(one.execution_id, one);
  return next;
}
