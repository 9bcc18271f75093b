/** Dead letters by what they have in common. Pure. */

import type { DeadLetter } from "../api/types";

export interface Group {
  key: string;
  workflow: string;
  /** Null for a failure of the workflow's own code. */
  step: string | null;
  error: string;
  /** The message of the newest one. */
  message: string;
  /** How many different messages there are. */
  messages: number;
  letters: DeadLetter[];
  newest: string;
  /** How many of them had been resumed before they failed. */
  again: number;
}

/** By workflow, step and error type; the largest group first, then by name. */
export function groupsOf(letters: readonly DeadLetter[]): Group[] {
  const found = new Map<string, DeadLetter[]>();
  for (const one of letters) {
    const key = JSON.stringify([one.workflow, one.step, one.error?.type ?? ""]);
    const mine = found.get(key);
    if (mine) mine.push(one);
    else found.set(key, [one]);
  }
  const groups = [...found].map(([key, mine]) => groupOf(key, mine));
  return groups.sort((a, b) => b.letters.length - a.letters.length || (a.key < b.key ? -1 : 1));
}

function groupOf(key: string, letters: DeadLetter[]): Group {
  const failed = (one: DeadLetter): string => one.ended_at ?? one.created_at;
  const sorted = [...letters].sort((a, b) => (failed(a) > failed(b) ? -1 : failed(a) < failed(b) ? 1 : 0));
  const first = sorted[0] as DeadLetter;
  return {
    key,
    workflow: first.workflow,
    step: first.step,
    error: first.error?.type ?? "unknown error",
    message: first.error?.message ?? "",
    messages: new Set(letters.map((one) => one.error?.message ?? "")).size,
    letters: sorted,
    newest: failed(first),
    again: letters.filter((one) => one.generation > 0).length,
  };
}
