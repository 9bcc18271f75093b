/** What the page says of limits and gates. */

import type { Limit, LimitKey, LimitWait, Numbers } from "../api/types";

/** "100 in 60 s, 20 at one moment"; "" without a rate. */
export function rateWords({ rate, per, burst }: Numbers): string {
  if (rate === null) return "";
  const time = per === 1 || per === null ? "a second" : `in ${plain(per)} s`;
  return `${plain(rate)} ${time}${burst !== null && burst > 1 ? `, ${plain(burst)} at one moment` : ""}`;
}

/** All numbers of a limit in a line; "no numbers" for one that has a gate alone. */
export function numbersWords(numbers: Numbers): string {
  const parts = [rateWords(numbers), numbers.concurrency === null ? "" : `${plain(numbers.concurrency)} at once`];
  return parts.filter(Boolean).join("; ") || "no numbers";
}

export const plain = (value: number): string => value.toLocaleString("en", { maximumFractionDigits: 3 });

const FIELDS = ["rate", "per", "burst", "concurrency"] as const;

/** Where the numbers that hold come from. */
export function originOf({ declared, numbers, set_by: by }: Limit): "code" | "settings" | "hand" {
  if (by !== null) return "hand";
  return FIELDS.every((field) => declared[field] === numbers[field]) ? "code" : "settings";
}

export function originWords(limit: Limit): string {
  const origin = originOf(limit);
  if (origin === "code") return "from the code";
  const code = `; the code says ${numbersWords(limit.declared)}`;
  if (origin === "settings") return `from the settings${code}`;
  return `set by hand${limit.set_by ? ` by ${limit.set_by}` : ""}${code}`;
}

/** What is taken and waits in all keys that are shown; `more`: there are others. */
export function sums(keys: readonly LimitKey[]): { taken: number; waiting: number; since: string | null } {
  const times = keys.flatMap((key) => key.waiting_since ?? []).sort();
  return {
    taken: keys.reduce((sum, key) => sum + key.taken, 0),
    waiting: keys.reduce((sum, key) => sum + key.waiting, 0),
    since: times[0] ?? null,
  };
}

/** What a form holds of the numbers, as text; and what to send: only what was changed. Null where a text is no number. */
export type Draft = Record<(typeof FIELDS)[number], string>;

export const draftOf = (numbers: Numbers): Draft =>
  Object.fromEntries(FIELDS.map((field) => [field, numbers[field] === null ? "" : String(numbers[field])])) as Draft;

export function changesOf(draft: Draft, numbers: Numbers): Record<string, number> | null {
  const changes: Record<string, number> = {};
  for (const field of FIELDS) {
    const held = numbers[field];
    if (held === null) continue;
    const text = draft[field].trim();
    const value = Number(text);
    if (!text || !Number.isFinite(value)) return null;
    if (value !== held) changes[field] = value;
  }
  return changes;
}

export const keyWords = (key: string): string => (key === "" ? "(no key)" : key);

/** What a step waits for, and since when. when: shows a time. */
export function waitWords(wait: LimitWait, when: (at: string) => string): string {
  const since = wait.since ? ` since ${when(wait.since)}` : "";
  const before = wait.before ? `, ${plain(wait.before)} before it` : "";
  if (wait.waits_for === "slot") return `waits for a slot${since}${before}`;
  if (wait.waits_for === "rate") return `waits for its moment${wait.next_at ? `, at ${when(wait.next_at)} at the latest` : ""}`;
  const by = wait.by && ` by ${wait.by}`;
  const why = (wait.why || wait.cause) && ` (${wait.why || wait.cause})`;
  const began = wait.gate_since ? when(wait.gate_since) : "";
  const waits = `waits at the gate${since}${before}`;
  if (wait.gate === "RAMPING") return `${waits}; it opens since ${began}${by}${why}`;
  const ends = wait.next_at ? `${wait.probe ? "this step is the next probe" : "next probe"} at ${when(wait.next_at)}` : "until somebody opens it";
  return `${waits}; closed at ${began}${by}${why}, ${ends}`;
}
