/** Cancelling many executions: a few requests at a time, so that it can be stopped; what is refused ends nothing. */

import { problemFrom } from "../parts/note";

/** Requests that are under way at once. */
const AT_ONCE = 4;

export interface Outcome {
  total: number;
  cancelled: number;
  /** Ids that were left alone, each with the reason. */
  refused: readonly (readonly [id: string, why: string])[];
  state: "running" | "stopped" | "finished";
}

/** `tell` is called after each answer, and at the end. */
export async function cancelAll(
  ids: readonly string[],
  cancel: (id: string) => Promise<unknown>,
  stopped: () => boolean,
  tell: (outcome: Outcome) => void,
): Promise<Outcome> {
  const rest = [...ids];
  const refused: [string, string][] = [];
  let cancelled = 0;
  const outcome = (state: Outcome["state"]): Outcome => ({ total: ids.length, cancelled, refused: [...refused], state });
  async function work(): Promise<void> {
    for (let id = stopped() ? undefined : rest.shift(); id !== undefined; id = stopped() ? undefined : rest.shift()) {
      try {
        await cancel(id);
        cancelled++;
      } catch (error) {
        refused.push([id, problemFrom(error).message]);
      }
      tell(outcome("running"));
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const end = outcome(rest.length ? "stopped" : "finished");
  tell(end);
  return end;
}
