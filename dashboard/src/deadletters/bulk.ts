/** A bulk resume: in small requests, so that progress can be shown and it can be stopped between two. */

import type { Json, Replayed, Resumed } from "../api/types";

export interface Progress {
  total: number;
  /** What the API has answered so far, in order. */
  done: readonly Resumed[];
  state: "gathering" | "running" | "stopped" | "finished" | "failed";
  error: unknown;
}

export type Replay = (body: Record<string, Json>) => Promise<Replayed>;

/** Ids a request may carry: about a second's worth at the rate, so that stopping does not take longer. */
export const shareOf = (rate: number | null): number => Math.max(1, Math.min(25, Math.floor(rate ?? 25)));

/**
 * Resumes the ids in order, at most `rate` per second over all requests, until done or `stopped()`.
 * `tell` is called after each answer, and at the end. What fails as a whole ends it; ids that are refused do not.
 */
export async function resumeAll(
  ids: readonly string[],
  rate: number | null,
  replay: Replay,
  stopped: () => boolean,
  tell: (progress: Progress) => void,
  pause: (seconds: number) => Promise<void> = sleep,
  now: () => number = () => performance.now() / 1000,
): Promise<Progress> {
  const done: Resumed[] = [];
  let rest = [...ids];
  const progress = (state: Progress["state"], error: unknown = null): Progress => {
    const current = { total: ids.length, done: [...done], state, error };
    tell(current);
    return current;
  };
  while (rest.length) {
    if (stopped()) return progress("stopped");
    const share = rest.slice(0, shareOf(rate));
    const began = now();
    try {
      // Without the rate: the server would answer at once and go on by itself, and could not be stopped from here.
      const answer = await replay({ execution_ids: share });
      done.push(...answer.results);
      const answered = new Set(answer.results.map((result) => result.execution_id));
      // An answer without any result would otherwise be asked for for ever.
      if (!answered.size) throw new Error("the API resumed nothing and gave no reason");
      rest = rest.filter((id) => !answered.has(id));
      progress("running");
      // A request's ids are resumed at once: before the next one, its share of the second is owed.
      if (rate !== null && rest.length) await pause(Math.max(0, answered.size / rate - (now() - began)));
    } catch (error) {
      return progress("failed", error);
    }
  }
  return progress("finished");
}

const sleep = (seconds: number): Promise<void> => new Promise((done) => setTimeout(done, seconds * 1000));
